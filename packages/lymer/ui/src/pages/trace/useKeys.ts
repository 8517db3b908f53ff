/** Listens for the keys of the trace page, but not while somebody types or picks from a menu. */

import { useEffect, useRef } from "react";

import { actionFor, type Action } from "../../model/keymap.ts";

const BUSY = "input, textarea, select, [contenteditable], [role=menu], [role=listbox], dialog";

export type Actions = Readonly<Record<Action, () => void>>;

export function useKeys(actions: Actions): void {
  const latest = useRef(actions);
  useEffect(() => {
    latest.current = actions;
  });
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      const action = actionFor(event);
      if (!action || event.defaultPrevented) return;
      const busy = event.target instanceof Element && event.target.closest(BUSY) !== null;
      if (busy && action !== "find") return;
      event.preventDefault();
      latest.current[action]();
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, []);
}
