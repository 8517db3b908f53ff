/** The question in the search language: written with completion, checked while it is written. */

import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from "react";

import "../../../styles/ask.css";

import { checkQuery, fieldsQuery, valuesQuery, type Checked, type FormFields } from "../../../api/language.ts";
import { useLocale } from "../../../i18n/index.ts";
import { useServerWords } from "../../../i18n/serverWords.ts";
import { useAnchored } from "../../../kit/anchored.ts";
import { Button, IconButton } from "../../../kit/buttons.tsx";
import { FormIcon, HistoryIcon, SearchIcon, StarIcon, StarredIcon } from "../../../kit/icons.tsx";
import { Menu } from "../../../kit/menu.tsx";
import { Failed } from "../../../kit/states.tsx";
import { loadAsked, storeAsked, withRecent, withSaved, type Asked } from "../../../model/asked.ts";
import { fixedValues, placeAt, suggest, written, type Suggestion } from "../../../model/completion.ts";

interface QueryBarProps {
  /** What is asked now. */
  readonly question: string;
  readonly busy: boolean;
  readonly onAsk: (question: string) => void;
  /** Offers the way to the form, where there is one. */
  readonly onForm?: (fields: FormFields) => void;
  /** What it is called, where there are two. */
  readonly label?: string;
  /** Whether no question is one, too: it asks for everything. */
  readonly optional?: boolean;
}

const CHECK_AFTER_MS = 250;

export function QueryBar({ question, busy, onAsk, onForm, label, optional = false }: QueryBarProps): ReactNode {
  const { t } = useLocale();
  const [text, setText] = useState(question);
  const [asked, setAsked] = useState<Asked>(loadAsked);
  useEffect(() => setText(question), [question]);
  const [settled] = useDebouncedValue(text, CHECK_AFTER_MS);
  const check = useQuery(checkQuery(settled));
  const checked = settled === text ? check.data : undefined;
  const remember = (next: Asked): void => {
    storeAsked(next);
    setAsked(next);
  };
  const ask = (said = text): void => {
    const wanted = said.trim();
    if (wanted === "" && !optional) return;
    if (wanted !== "") remember(withRecent(loadAsked(), wanted));
    onAsk(wanted);
  };
  const isSaved = asked.saved.includes(text.trim());
  const form = checked?.valid ? checked.form : null;
  const entries = (questions: readonly string[]) => questions.map((one) => ({ label: one, onClick: () => ask(one) }));
  return (
    <div className="ly-query">
      <div className="ly-query-row">
        <Input label={label ?? t.why.ask.label} text={text} onWrite={setText} onAsk={() => ask()} checked={checked} />
        <Button busy={busy} icon={<SearchIcon />} onClick={() => ask()}>
          {t.why.ask.run}
        </Button>
        <span className="ly-query-tools">
          <IconButton
            label={isSaved ? t.why.ask.unsave : t.why.ask.save}
            disabled={text.trim() === ""}
            onClick={() => remember(withSaved(loadAsked(), text.trim(), !isSaved))}
          >
            {isSaved ? <StarredIcon /> : <StarIcon />}
          </IconButton>
          {asked.saved.length + asked.recent.length > 0 && (
            <Menu
              label={t.why.ask.kept}
              icon={<HistoryIcon />}
              groups={[
                ...(asked.saved.length > 0 ? [{ title: t.why.ask.saved, entries: entries(asked.saved) }] : []),
                ...(asked.recent.length > 0 ? [{ title: t.why.ask.recent, entries: entries(asked.recent) }] : []),
              ]}
            />
          )}
          {onForm && (
            <IconButton
              label={form ? t.why.ask.toForm : t.why.ask.toFormNot}
              disabled={!form}
              onClick={() => form && onForm(form)}
            >
              <FormIcon />
            </IconButton>
          )}
        </span>
      </div>
      {check.isError && <Failed text={t.why.ask.checkFailed} error={check.error} onRetry={() => void check.refetch()} />}
    </div>
  );
}

interface InputProps {
  readonly label: string;
  readonly text: string;
  readonly onWrite: (text: string) => void;
  readonly onAsk: () => void;
  readonly checked: Checked | undefined;
}

function Input({ label, text, onWrite, onAsk, checked }: InputProps): ReactNode {
  const { t } = useLocale();
  const words = useServerWords();
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  const [cursor, setCursor] = useState(text.length);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const [now] = useState(() => Math.floor(Date.now() / 60_000) * 60e6);
  const place = useMemo(() => placeAt(text, cursor), [text, cursor]);
  const fields = useQuery(fieldsQuery(now, open));
  const needsValues = place.kind === "value" && fixedValues(place.field) === null;
  const values = useQuery(valuesQuery(place.field, now, open && needsValues));
  const shown = useMemo(
    () => (open ? suggest(place, fields.data ?? [], needsValues ? (values.data ?? []) : []) : []),
    [open, place, fields.data, values.data, needsValues],
  );
  const listed = open && shown.length > 0;
  const box = useAnchored<HTMLUListElement>(area, listed, "start", false);
  const fault = checked && !checked.valid && text.trim() !== "" ? checked.place : null;
  const looked = (): void => setCursor(area.current?.selectionStart ?? text.length);
  const choose = (suggestion: Suggestion): void => {
    const next = written(text, place, suggestion);
    onWrite(next.text);
    setActive(-1);
    requestAnimationFrame(() => {
      area.current?.focus();
      area.current?.setSelectionRange(next.cursor, next.cursor);
      looked();
    });
  };
  const move = (to: number): void => {
    const next = (to + shown.length) % shown.length;
    setActive(next);
    document.getElementById(`${id}-${next}`)?.scrollIntoView({ block: "nearest" });
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) return; // Enter ends a Korean syllable
    if (event.key === "ArrowDown" && listed) move(active + 1);
    else if (event.key === "ArrowUp" && listed) move(active < 0 ? -1 : active - 1);
    else if (event.key === "Enter" && !event.shiftKey) {
      if (listed && active >= 0) choose(shown[active]);
      else {
        setOpen(false);
        onAsk();
      }
    } else if (event.key === "Tab" && listed && active >= 0) choose(shown[active]);
    else if (event.key === "Escape" && open) setOpen(false);
    else if (event.key === " " && event.ctrlKey) setOpen(true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className="ly-query-field">
      <div className="ly-query-box" data-wrong={fault !== null}>
        <textarea
          ref={area}
          rows={1}
          className="ly-query-text"
          aria-label={label}
          aria-autocomplete="list"
          {...(listed ? { "aria-controls": `${id}-list` } : {})}
          {...(listed && active >= 0 ? { "aria-activedescendant": `${id}-${active}` } : {})}
          {...(fault ? { "aria-invalid": true, "aria-describedby": `${id}-fault` } : {})}
          value={text}
          placeholder={t.why.ask.placeholder}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="off"
          onChange={(event) => {
            onWrite(event.currentTarget.value);
            setCursor(event.currentTarget.selectionStart);
            setOpen(true);
            setActive(-1);
          }}
          onSelect={looked}
          onClick={() => setOpen(true)}
          onKeyDown={onKeyDown}
          onBlur={() => setOpen(false)}
        />
        <div className="ly-query-under" aria-hidden="true">
          {fault ? (
            <>
              {text.slice(0, fault.at)}
              <mark>{text.slice(fault.at, fault.at + wrongLength(text, fault.at)) || " "}</mark>
              {text.slice(fault.at + wrongLength(text, fault.at))}
            </>
          ) : (
            text
          )}
          {"\u200b"}
        </div>
      </div>
      <p id={`${id}-fault`} className="ly-query-fault" data-covered={listed} role="status">
        {fault && (
          <>
            <strong>{t.why.ask.wrongAt(fault.column)}</strong> {words(fault.cause)}
            {fault.hint && <em> {words(fault.hint)}</em>}
          </>
        )}
      </p>
      <ul ref={box} id={`${id}-list`} className="ly-list-box ly-query-list" role="listbox" aria-label={t.why.ask.suggestions} popover="manual">
        {listed &&
          shown.map((suggestion, at) => (
            <li
              key={`${suggestion.detail} ${suggestion.label}`}
              id={`${id}-${at}`}
              role="option"
              aria-selected={at === active}
              data-active={at === active}
              title={suggestion.label}
              onPointerDown={(event) => event.preventDefault()}
              onClick={() => choose(suggestion)}
            >
              <span>{suggestion.label}</span>
              <small>{t.why.ask.details[suggestion.detail] ?? suggestion.detail}</small>
            </li>
          ))}
      </ul>
    </div>
  );
}

/** A word is wrong as a whole, anything else by its first character. */
function wrongLength(text: string, at: number): number {
  return /^[\w."-]+/.exec(text.slice(at))?.[0].length ?? 1;
}
