/** Form fields. */

import { useId, type ReactNode } from "react";

import { Combobox, type Option } from "./combobox.tsx";
import { DownIcon } from "./icons.tsx";
import { Field, type FieldProps } from "./field.tsx";

export type { Option };

/** From this many options on one is found by typing instead of scrolling. */
const SEARCH_FROM = 13;

/** One line of text. */
export function TextField(
  props: FieldProps & {
    readonly type?: "text" | "number" | "datetime-local";
    readonly mono?: boolean;
    readonly min?: number;
    readonly max?: number;
    readonly step?: number;
  },
): ReactNode {
  const { label, description, error, onChange, mono, type, ...rest } = props;
  return (
    <Field label={label} description={description} error={error}>
      {(control) => (
        <input
          {...control}
          {...rest}
          type={type ?? "text"}
          className="ly-input"
          data-mono={mono === true}
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

/** One of a list; a long one is found by typing. An empty value means none is chosen. */
export function SelectField(
  props: FieldProps & { readonly options: readonly (Option | string)[]; readonly clearable?: boolean },
): ReactNode {
  const { label, description, error, onChange, value, placeholder, disabled, clearable } = props;
  const options = props.options.map((one) => (typeof one === "string" ? { value: one, label: one } : one));
  if (options.length >= SEARCH_FROM || clearable) {
    return <Combobox {...props} options={options} />;
  }
  return (
    <Field label={label} description={description} error={error}>
      {(control) => (
        <>
          <select
            {...control}
            className="ly-input"
            data-tools={1}
            value={value}
            disabled={disabled}
            onChange={(event) => onChange(event.currentTarget.value)}
          >
            {value === "" && <option value="">{placeholder ?? ""}</option>}
            {options.map((option) => (
              <option key={option.value} value={option.value}>
                {option.label}
              </option>
            ))}
          </select>
          <span className="ly-field-tools">
            <DownIcon />
          </span>
        </>
      )}
    </Field>
  );
}

/** Free text with suggestions. */
export function SuggestField(props: FieldProps & { readonly options: readonly string[] }): ReactNode {
  return <Combobox {...props} free options={props.options.map((value) => ({ value, label: value }))} />;
}

/** One of two or three, all in sight. */
export function Choice(props: {
  readonly label: string;
  readonly value: string;
  readonly options: readonly Option[];
  readonly onChange: (value: string) => void;
}): ReactNode {
  const name = useId();
  return (
    <fieldset className="ly-choice">
      <legend className="ly-hidden">{props.label}</legend>
      {props.options.map(({ value, label }) => (
        <label key={value} data-checked={value === props.value}>
          <input
            type="radio"
            className="ly-hidden"
            name={name}
            value={value}
            checked={value === props.value}
            onChange={() => props.onChange(value)}
          />
          {label}
        </label>
      ))}
    </fieldset>
  );
}

/** On or off. */
export function Switch(props: {
  readonly label: string;
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
}): ReactNode {
  return (
    <label className="ly-switch">
      <input type="checkbox" checked={props.checked} onChange={(event) => props.onChange(event.currentTarget.checked)} />
      {props.label}
    </label>
  );
}
