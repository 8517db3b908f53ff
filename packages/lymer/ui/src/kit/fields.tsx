/** Form fields: the only place that knows which component library draws them. */

import { Autocomplete, SegmentedControl, Select, TextInput } from "@mantine/core";
import type { ReactNode } from "react";

/** At most this many options are in the list at a time; typing narrows it. */
const OPTIONS_MAX = 200;

export interface Option {
  readonly value: string;
  readonly label: string;
}

interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly placeholder?: string;
  readonly description?: string;
  readonly error?: string | null;
  readonly disabled?: boolean;
}

/** Leave out what is undefined, which `exactOptionalPropertyTypes` asks for. */
function present<T extends object>(props: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(props).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

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
  const { onChange, mono, ...rest } = props;
  return (
    <TextInput
      size="sm"
      inputWrapperOrder={["label", "input", "error", "description"]}
      onChange={(event) => onChange(event.currentTarget.value)}
      spellCheck={false}
      autoComplete="off"
      {...(mono ? { className: "ly-mono-field" } : {})}
      {...present(rest)}
    />
  );
}

/** One of a list, found by typing. An empty value means none is chosen. */
export function SelectField(
  props: FieldProps & { readonly options: readonly (Option | string)[]; readonly clearable?: boolean },
): ReactNode {
  const { onChange, options, value, clearable, ...rest } = props;
  return (
    <Select
      size="sm"
      searchable={options.length > 12}
      clearable={clearable ?? false}
      allowDeselect={false}
      limit={OPTIONS_MAX}
      maxDropdownHeight={320}
      data={[...options]}
      value={value || null}
      onChange={(next) => onChange(next ?? "")}
      comboboxProps={{ transitionProps: { duration: 0 } }}
      {...present(rest)}
    />
  );
}

/** Free text with suggestions. */
export function SuggestField(
  props: FieldProps & { readonly options: readonly string[] },
): ReactNode {
  const { options, ...rest } = props;
  return (
    <Autocomplete
      size="sm"
      limit={OPTIONS_MAX}
      maxDropdownHeight={320}
      data={[...options]}
      comboboxProps={{ transitionProps: { duration: 0 } }}
      spellCheck={false}
      {...present(rest)}
    />
  );
}

/** One of two or three, all in sight. */
export function Choice(props: {
  readonly label: string;
  readonly value: string;
  readonly options: readonly Option[];
  readonly onChange: (value: string) => void;
}): ReactNode {
  return (
    <SegmentedControl
      size="xs"
      aria-label={props.label}
      value={props.value}
      onChange={props.onChange}
      data={[...props.options]}
      transitionDuration={0}
    />
  );
}
