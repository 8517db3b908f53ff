/** Tabs: one of them is open; arrow keys move between them (WAI-ARIA practices). */

import { useRef, type KeyboardEvent, type ReactNode } from "react";

interface TabsProps<T extends string> {
  readonly label: string;
  /** Id of the panel the tabs change. */
  readonly panel: string;
  readonly value: T;
  readonly tabs: readonly { readonly value: T; readonly label: string }[];
  readonly onChange: (value: T) => void;
}

export function Tabs<T extends string>({ label, panel, value, tabs, onChange }: TabsProps<T>): ReactNode {
  const list = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent): void => {
    const at = tabs.findIndex((tab) => tab.value === value);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const next = tabs[(to + tabs.length) % tabs.length].value;
    onChange(next);
    list.current?.querySelector<HTMLElement>(`#ly-tab-${next}`)?.focus();
  };
  return (
    <div ref={list} className="ly-tabs" role="tablist" aria-label={label} onKeyDown={move}>
      {tabs.map((tab) => (
        <button
          key={tab.value}
          type="button"
          role="tab"
          id={`ly-tab-${tab.value}`}
          aria-selected={tab.value === value}
          {...(tab.value === value ? { "aria-controls": panel } : {})}
          tabIndex={tab.value === value ? 0 : -1}
          onClick={() => onChange(tab.value)}
        >
          {tab.label}
        </button>
      ))}
    </div>
  );
}
