/** Everything one can go to, found by typing: pages, services, questions of before, this page as a link. */

import { useClipboard } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useId, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { useLocation } from "wouter";

import "../../styles/palette.css";

import { servicesQuery } from "../../api/queries.ts";
import { useLocale } from "../../i18n/index.ts";
import { Dialog } from "../../kit/dialog.tsx";
import { loadAsked } from "../../model/asked.ts";
import { rank, type Command } from "../../model/commands.ts";
import { TRACE_ID } from "../../model/question.ts";

interface PaletteProps {
  readonly onClose: () => void;
  readonly pages: readonly { readonly href: string; readonly label: string }[];
}

export default function Palette({ onClose, pages }: PaletteProps): ReactNode {
  const { t } = useLocale();
  const [, navigate] = useLocation();
  const id = useId();
  const [typed, setTyped] = useState("");
  const [active, setActive] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const clipboard = useClipboard();
  const services = useQuery(servicesQuery());
  const all = useMemo((): Command[] => {
    const asked = loadAsked();
    const found = (services.data ?? []).flatMap((name): Command[] => [
      { label: name, detail: t.why.palette.traces, href: `/search?service=${encodeURIComponent(name)}` },
      { label: name, detail: t.nav.monitor, href: `/monitor?service=${encodeURIComponent(name)}` },
      { label: name, detail: t.nav.map, href: `/dependencies?service=${encodeURIComponent(name)}` },
    ]);
    const questions = [...new Set([...asked.saved, ...asked.recent])].map((one): Command => ({
      label: one,
      detail: t.why.palette.question,
      href: `/search?q=${encodeURIComponent(one)}&lookback=1h`,
    }));
    const views = (["cause", "different", "profile", "changes"] as const).map((view): Command => ({
      label: t.diagnose.views[view],
      detail: t.nav.diagnose,
      href: `/diagnose?view=${view}`,
    }));
    return [
      ...pages.map(({ href, label }): Command => ({ label, detail: t.why.palette.page, href })),
      ...views,
      { label: t.why.palette.copyLink, detail: t.why.palette.here, href: "" },
      { label: t.why.tour.start, detail: t.why.palette.page, href: "/search?tour=1" },
      ...questions,
      ...found,
    ];
  }, [services.data, pages, t]);
  const id32 = typed.trim().toLowerCase();
  const shown = [
    ...(id32.length >= 16 && TRACE_ID.test(id32) ? [{ label: id32, detail: t.why.palette.trace, href: `/trace/${id32}` }] : []),
    ...rank(all, typed),
  ];
  const choose = (command: Command | undefined): void => {
    if (!command) return;
    if (command.href === "") clipboard.copy(window.location.href);
    else navigate(command.href);
    onClose();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && shown.length > 0) {
      const next = (active + step + shown.length) % shown.length;
      setActive(next);
      document.getElementById(`${id}-${next}`)?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") choose(shown[active]);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title={t.why.palette.title} onClose={onClose}>
      <input
        className="ly-input"
        role="combobox"
        aria-expanded="true"
        aria-controls={`${id}-list`}
        aria-label={t.why.palette.label}
        {...(shown.length > 0 ? { "aria-activedescendant": `${id}-${active}` } : {})}
        autoFocus
        spellCheck={false}
        autoComplete="off"
        placeholder={t.why.palette.label}
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          setActive(0);
        }}
        onKeyDown={onKeyDown}
      />
      <ul ref={list} id={`${id}-list`} className="ly-palette" role="listbox" aria-label={t.why.palette.title}>
        {shown.map((command, at) => (
          <li
            key={`${command.detail} ${command.label}`}
            id={`${id}-${at}`}
            role="option"
            aria-selected={at === active}
            onClick={() => choose(command)}
          >
            <span>{command.label}</span>
            <small>{command.detail}</small>
          </li>
        ))}
      </ul>
      {shown.length === 0 && <p className="ly-muted">{t.common.noOption}</p>}
    </Dialog>
  );
}
