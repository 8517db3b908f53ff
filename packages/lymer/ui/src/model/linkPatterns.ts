/**
 * Links out of attributes, events and traces, as a site's configuration describes them.
 *
 * Source: Jaeger UI 2.20, `model/link-patterns.tsx` and `utils/link-formatting.ts`: what a pattern
 * may say, where its variables come from, and the formatters.
 */

export interface LinkPattern {
  readonly type?: string;
  readonly key?: string | readonly string[];
  readonly value?: string | readonly string[];
  readonly url?: string;
  readonly text?: string;
}

export interface PatternLink {
  readonly url: string;
  readonly text: string;
}

/** Names a template may use → their values. */
export type Variables = (name: string) => string | number | boolean | undefined;

const VARIABLE = /#\{([^{}]*)\}/g;

function formatValue(value: string | number | boolean, format: string): string | number | boolean | undefined {
  const [name, ...options] = format.trim().split(/\s+/);
  switch (name) {
    case "epoch_micros_to_date_iso": {
      const millis = Number(value) / 1000;
      return Math.abs(millis) <= 8.64e15 ? new Date(millis).toISOString() : undefined;
    }
    case "pad_start":
      return String(value).padStart(Number(options[0]) || 0, options[1] ?? " ");
    case "add":
      return Number(value) + (Number(options[0]) || 0);
    default:
      return undefined;
  }
}

/** Fill in a template, or return null if a variable has no value. */
export function fillTemplate(template: string, variables: Variables, encode: boolean): string | null {
  let complete = true;
  const filled = template.replace(VARIABLE, (_, inside: string) => {
    const [name, ...formats] = inside.split("|");
    let value = variables(name.trim());
    for (const format of formats) value = value === undefined ? undefined : formatValue(value, format);
    if (value === undefined) complete = false;
    return encode ? encodeURIComponent(String(value)) : String(value);
  });
  return complete ? filled : null;
}

/** Jaeger's names of what a pattern is for, and OpenTelemetry's. */
const SAME: Readonly<Record<string, string>> = {
  process: "resource",
  tags: "attributes",
  logs: "events",
};

function canonical(type: string): string {
  return SAME[type] ?? type;
}

function names(value: string | readonly string[] | undefined): readonly string[] | null {
  if (value === undefined) return null;
  return typeof value === "string" ? [value] : value;
}

function linkOf(pattern: LinkPattern, variables: Variables): PatternLink | null {
  const url = fillTemplate(pattern.url ?? "", variables, true);
  const text = fillTemplate(pattern.text ?? pattern.url ?? "", variables, false);
  return url && text !== null ? { url, text } : null;
}

/** Return the links for one attribute of a span, its resource or an event. */
export function attributeLinks(
  patterns: readonly LinkPattern[],
  type: "attributes" | "resource" | "events",
  key: string,
  value: string,
  variables: Variables,
): PatternLink[] {
  return patterns.flatMap((pattern) => {
    const keys = names(pattern.key);
    const values = names(pattern.value);
    if (canonical(pattern.type ?? "") !== type || !keys?.includes(key)) return [];
    if (values && !values.includes(value)) return [];
    const link = linkOf(pattern, (name) => (name === key ? value : variables(name)));
    return link ? [link] : [];
  });
}

/** Return the links for a whole trace. */
export function traceLinks(patterns: readonly LinkPattern[], variables: Variables): PatternLink[] {
  return patterns.flatMap((pattern) => {
    const link = pattern.type === "traces" ? linkOf(pattern, variables) : null;
    return link ? [link] : [];
  });
}
