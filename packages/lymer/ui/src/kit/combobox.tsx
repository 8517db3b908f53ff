/** One of a long list, found by typing; or free text with suggestions (WAI-ARIA practices, combobox). */

import { useId, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from "react";

import { useLocale } from "../i18n/index.ts";
import { useAnchored } from "./anchored.ts";
import { Field, type ControlProps, type FieldProps } from "./field.tsx";
import { CloseIcon, DownIcon } from "./icons.tsx";

export interface Option {
  readonly value: string;
  readonly label: string;
}

type ComboboxProps = FieldProps & {
  readonly options: readonly Option[];
  /** Whether what is typed counts even if it is no option. */
  readonly free?: boolean;
  readonly clearable?: boolean;
};

/** At most this many options are in the list at a time; typing narrows it. */
const OPTIONS_MAX = 200;

export function Combobox(props: ComboboxProps): ReactNode {
  return (
    <Field label={props.label} description={props.description} error={props.error}>
      {(control) => <Control {...props} control={control} />}
    </Field>
  );
}

function Control(props: ComboboxProps & { readonly control: ControlProps }): ReactNode {
  const { value, options, onChange, free } = props;
  const { t } = useLocale();
  const list = useId();
  const input = useRef<HTMLInputElement>(null);
  const [open, setOpen] = useState(false);
  /** What has been typed since the list opened; null: nothing yet. */
  const [typed, setTyped] = useState<string | null>(null);
  const [active, setActive] = useState(-1);
  const box = useAnchored<HTMLUListElement>(input, open, "start", true);
  const label = options.find((option) => option.value === value)?.label ?? value;
  const wanted = (typed ?? "").trim().toLowerCase();
  const shown = useMemo(
    () => options.filter((option) => option.label.toLowerCase().includes(wanted)).slice(0, OPTIONS_MAX),
    [options, wanted],
  );

  const close = (): void => {
    setOpen(false);
    setTyped(null);
    setActive(-1);
  };
  const choose = (option: Option): void => {
    onChange(option.value);
    close();
  };
  const reveal = (): void => {
    setOpen(true);
    setActive(options.slice(0, OPTIONS_MAX).findIndex((option) => option.value === value));
  };
  const move = (to: number): void => {
    if (!open) reveal();
    const next = shown.length === 0 ? -1 : (to + shown.length) % shown.length;
    setActive(next);
    document.getElementById(`${list}-${next}`)?.scrollIntoView({ block: "nearest" });
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) return; // Enter ends a Korean syllable, and chooses nothing
    if (event.key === "ArrowDown") move(active + 1);
    else if (event.key === "ArrowUp") move(active < 0 ? -1 : active - 1);
    else if (event.key === "Enter" && open && active >= 0 && shown[active]) choose(shown[active]);
    else if (event.key === "Escape" && open) close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const leave = (): void => {
    const exact = shown.find((option) => option.label.toLowerCase() === wanted);
    if (!free && typed !== null && exact) onChange(exact.value);
    close();
  };
  return (
    <>
      <input
        {...props.control}
        ref={input}
        className="ly-input"
        data-tools={props.clearable && value !== "" ? 2 : 1}
        role="combobox"
        aria-autocomplete="list"
        aria-expanded={open}
        {...(open ? { "aria-controls": list } : {})}
        {...(open && active >= 0 ? { "aria-activedescendant": `${list}-${active}` } : {})}
        value={free ? value : (typed ?? label)}
        title={label}
        placeholder={props.placeholder}
        disabled={props.disabled}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          setOpen(true);
          setActive(free ? -1 : 0);
          if (free) onChange(event.currentTarget.value);
        }}
        onClick={() => {
          if (!open) reveal();
          if (!free) input.current?.select();
        }}
        onKeyDown={onKeyDown}
        onBlur={leave}
      />
      <span className="ly-field-tools">
        {props.clearable && value !== "" && (
          <button type="button" aria-label={t.common.clearField(props.label)} title={t.common.clearField(props.label)} onClick={() => onChange("")}>
            <CloseIcon />
          </button>
        )}
        <DownIcon />
      </span>
      <ul ref={box} id={list} className="ly-list-box" role="listbox" aria-label={props.label} popover="manual">
        {open &&
          shown.map((option, at) => (
            <li
              key={option.value}
              id={`${list}-${at}`}
              role="option"
              aria-selected={option.value === value}
              data-active={at === active}
              title={option.label}
              onPointerDown={(event) => event.preventDefault()}
              onClick={() => choose(option)}
            >
              {option.label}
            </li>
          ))}
        {open && shown.length === 0 && !free && (
          <li role="option" aria-disabled="true" aria-selected="false">
            {t.common.noOption}
          </li>
        )}
      </ul>
    </>
  );
}
