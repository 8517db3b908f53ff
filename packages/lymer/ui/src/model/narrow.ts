/** Narrowing a question in the search language by one more condition. */

/** Write a text as the language quotes it. */
export function quoted(text: string): string {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  return `"${escaped.replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\t", "\\t")}"`;
}

const UNQUOTED = /^(-?\d+(\.\d+)?|true|false)$/;
const PLAIN_KEY = /^[A-Za-z_][\w.-]*$/;

interface Attribute {
  readonly scope: string;
  readonly key: string;
  readonly value: string;
  /** Spans that have it, and those of them that have it themselves; the others call one that has. */
  readonly support?: number;
  readonly own?: number;
}

/** Whether it is an attribute of the spans themselves, not of what they call. */
export function isOwn({ support, own }: Attribute): boolean {
  return support === undefined || own === undefined || own >= support;
}

/**
 * Return the question for the spans with an attribute, or for all others.
 *
 * A span without the key is one of the others: `!(key = value)` keeps it, `key != value` would not.
 * What a span calls counts as its own, as where the differences are looked for.
 */
export function withCondition(question: string, attribute: Attribute, excluding: boolean): string {
  const key = PLAIN_KEY.test(attribute.key) ? attribute.key : quoted(attribute.key);
  const one = (value: string): string => `${attribute.scope}.${key} = ${value}`;
  // What looks like a number or a truth value may be one or a text; in the language they differ.
  const has = UNQUOTED.test(attribute.value)
    ? `${one(attribute.value)} || ${one(quoted(attribute.value))}`
    : one(quoted(attribute.value));
  const narrowed = joined(question, excluding ? `!(${has})` : has.includes(" || ") ? `(${has})` : has);
  if (isOwn(attribute) || isEverything(question)) return narrowed;
  const within = (asked: string): string => (filterOf(asked) === null ? `(${asked})` : asked);
  return excluding ? `{ ${has} } !<< ${within(narrowed)}` : `${within(narrowed)} || ({ ${has} } << ${within(question)})`;
}

/** Return the question with bounds of the duration more, nanoseconds. */
export function withDurations(question: string, shortest: number, longest: number): string {
  return joined(question, `duration >= ${shortest}ns && duration <= ${longest}ns`);
}

const FILTER = /^\s*\{((?:[^{}"`]|"(?:[^"\\]|\\.)*"|`[^`]*`)*)\}\s*$/;

/** Return what stands between the braces of a question that is one filter, else null. */
function filterOf(question: string): string | null {
  return FILTER.exec(question)?.[1].trim() ?? null;
}

function isEverything(question: string): boolean {
  return question.trim() === "" || filterOf(question) === "";
}

/** Of other questions than a single filter, the spans that they find are filtered. */
function joined(question: string, condition: string): string {
  if (!question.trim()) return `{ ${condition} }`;
  const before = filterOf(question);
  if (before === null) return `${question} | { ${condition} }`;
  return before ? `{ ${before.includes("||") ? `(${before})` : before} && ${condition} }` : `{ ${condition} }`;
}
