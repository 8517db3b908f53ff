/** A button that opens a list of things to do or to choose (WAI-ARIA practices, menu button). */

import { useEffect, useId, useRef, useState, type KeyboardEvent, type ReactNode } from "react";

import { useAnchored } from "./anchored.ts";
import { CheckIcon } from "./icons.tsx";
import { useDismiss } from "./popover.tsx";

export interface MenuEntry {
  readonly label: string;
  readonly onClick?: () => void;
  readonly href?: string;
  readonly download?: string;
  readonly newPage?: boolean;
  readonly checked?: boolean;
}

interface MenuProps {
  readonly label: string;
  readonly icon: ReactNode;
  /** Entries of one group stand together. */
  readonly groups: readonly { readonly title?: string; readonly entries: readonly MenuEntry[] }[];
  /** For menus of switches: it stays open while one is at it. */
  readonly keepOpen?: boolean;
}

const ITEM = "[role^=menuitem]";

export function Menu({ label, icon, groups, keepOpen }: MenuProps): ReactNode {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState(false);
  const box = useAnchored<HTMLDivElement>(button, open, "end", false);
  useDismiss(open, button, box, () => setOpen(false));
  useEffect(() => {
    if (open) box.current?.querySelector<HTMLElement>(ITEM)?.focus();
  }, [open, box]);
  const onKeyDown = (event: KeyboardEvent): void => {
    const items = [...(box.current?.querySelectorAll<HTMLElement>(ITEM) ?? [])];
    const at = items.findIndex((item) => item === document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (event.key === "Tab") setOpen(false);
    if (to === undefined || items.length === 0) return;
    event.preventDefault();
    event.stopPropagation();
    items[(to + items.length) % items.length].focus();
  };
  const done = (): void => {
    if (keepOpen) return;
    setOpen(false);
    button.current?.focus();
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        className="ly-icon-button"
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={open}
        {...(open ? { "aria-controls": id } : {})}
        onClick={() => setOpen((now) => !now)}
      >
        {icon}
      </button>
      <div ref={box} id={id} className="ly-menu" role="menu" aria-label={label} popover="manual" onKeyDown={onKeyDown}>
        {open &&
          groups.map((group, index) => (
            <div key={group.title ?? index} role="group" aria-label={group.title ?? label}>
              {group.title && <p aria-hidden="true">{group.title}</p>}
              {group.entries.map((entry) => (
                <Entry key={entry.label} entry={entry} onDone={done} />
              ))}
            </div>
          ))}
      </div>
    </>
  );
}

function Entry({ entry, onDone }: { readonly entry: MenuEntry; readonly onDone: () => void }): ReactNode {
  if (entry.href !== undefined) {
    const target = entry.download || entry.newPage === false ? {} : { target: "_blank", rel: "noreferrer" };
    return (
      <a role="menuitem" tabIndex={-1} href={entry.href} {...(entry.download ? { download: entry.download } : {})} {...target} onClick={onDone}>
        {entry.label}
      </a>
    );
  }
  const checkable = entry.checked !== undefined;
  return (
    <button
      type="button"
      role={checkable ? "menuitemcheckbox" : "menuitem"}
      {...(checkable ? { "aria-checked": entry.checked } : {})}
      tabIndex={-1}
      onClick={() => {
        entry.onClick?.();
        onDone();
      }}
    >
      {checkable && <span className="ly-menu-mark">{entry.checked && <CheckIcon />}</span>}
      {entry.label}
    </button>
  );
}
