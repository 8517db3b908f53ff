/** A button that opens a small box below it: for choices that are more than a menu. */

import { useEffect, useId, useRef, useState, type ReactNode, type RefObject } from "react";

import { useAnchored } from "./anchored.ts";

/** Close when somebody presses elsewhere, or Escape; the focus goes back to the button. */
export function useDismiss(
  open: boolean,
  button: RefObject<HTMLElement | null>,
  box: RefObject<HTMLElement | null>,
  close: () => void,
): void {
  const latest = useRef(close);
  useEffect(() => {
    latest.current = close;
  });
  useEffect(() => {
    if (!open) return undefined;
    const inside = (target: EventTarget | null): boolean =>
      target instanceof Node && (box.current?.contains(target) === true || button.current?.contains(target) === true);
    const press = (event: Event): void => {
      if (!inside(event.target)) latest.current();
    };
    const key = (event: KeyboardEvent): void => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      latest.current();
      button.current?.focus();
    };
    document.addEventListener("pointerdown", press);
    document.addEventListener("focusin", press);
    document.addEventListener("keydown", key, true);
    return () => {
      document.removeEventListener("pointerdown", press);
      document.removeEventListener("focusin", press);
      document.removeEventListener("keydown", key, true);
    };
  }, [open, button, box]);
}

export function Popover(props: {
  readonly label: string;
  readonly icon: ReactNode;
  /** Whether what is chosen in it differs from the usual. */
  readonly active?: boolean;
  readonly children: ReactNode;
}): ReactNode {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState(false);
  const box = useAnchored<HTMLDivElement>(button, open, "end", false);
  useDismiss(open, button, box, () => setOpen(false));
  useEffect(() => {
    if (open) box.current?.querySelector<HTMLElement>("input, button")?.focus();
  }, [open, box]);
  return (
    <>
      <button
        ref={button}
        type="button"
        className="ly-tool"
        data-active={props.active === true}
        title={props.label}
        aria-haspopup="dialog"
        aria-expanded={open}
        {...(open ? { "aria-controls": id } : {})}
        onClick={() => setOpen((now) => !now)}
      >
        {props.icon}
        <span>{props.label}</span>
      </button>
      <div ref={box} id={id} className="ly-popover" role="dialog" aria-label={props.label} popover="manual">
        {open && props.children}
      </div>
    </>
  );
}
