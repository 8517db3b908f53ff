/** What can be written at the cursor of a question in the search language. */

/** A field of spans as the server names it. */
export interface KnownField {
  readonly scope: string;
  readonly name: string;
}

/** What may stand at the cursor, and which part of the text it would replace. */
export interface Place {
  readonly kind: "spanset" | "key" | "operator" | "value" | "join" | "relation" | "stage";
  readonly from: number;
  readonly to: number;
  /** What has been typed of it. */
  readonly typed: string;
  /** The field whose value stands here, as it was written. */
  readonly field: string;
}

export interface Suggestion {
  readonly label: string;
  /** What is written. */
  readonly text: string;
  /** Where the cursor goes, from the start of `text`; its end if it is not said. */
  readonly cursor?: number;
  /** What kind of thing it is, in a word of the language. */
  readonly detail: string;
}

type TokenKind = "open" | "close" | "word" | "text" | "compare" | "logic" | "paren" | "end" | "comma" | "pipe" | "relation";

interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

const TOKEN =
  /\s*(?:(?<open>\{)|(?<close>\})|(?<logic>&&|\|\|)|(?<compare>>=|<=|!=|=~|!~|=)|(?<relation>&?>>|&?<<|!?~|[<>])|(?<pipe>\|)|(?<paren>\()|(?<end>\))|(?<comma>,)|(?<text>"(?:[^"\\]|\\.)*"?)|(?<word>(?:"(?:[^"\\]|\\.)*"|[^\s{}()=!<>&|,"~])+))/y;

function tokens(text: string): Token[] {
  const found: Token[] = [];
  const pattern = new RegExp(TOKEN.source, "y");
  let at = 0;
  while (at < text.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (!match?.groups) {
      at += 1; // a character of nothing we know
      continue;
    }
    const [kind, said] = Object.entries(match.groups).find(([, value]) => value !== undefined) ?? [];
    at = pattern.lastIndex;
    if (kind && said !== undefined) found.push({ kind: kind as TokenKind, text: said, from: at - said.length, to: at });
  }
  return found;
}

const FIELD_FUNCTIONS = new Set(["by", "select", "avg", "max", "min", "sum", "max_over_time", "min_over_time", "avg_over_time", "sum_over_time", "quantile_over_time", "histogram_over_time"]);

/** Return what can stand at `cursor`. */
export function placeAt(text: string, cursor: number): Place {
  const before = tokens(text.slice(0, cursor));
  let last = before.at(-1);
  // What the cursor touches is being written; what stands behind a space is done.
  const writing = last && last.to === cursor && (last.kind === "word" || last.kind === "text") ? last : undefined;
  if (writing) {
    before.pop();
    last = before.at(-1);
  }
  let to = cursor;
  if (writing) while (to < text.length && /[^\s{}()=!<>&|,"~]/.test(text[to])) to += 1;
  const made = (kind: Place["kind"], field = ""): Place => ({
    kind,
    from: writing?.from ?? cursor,
    to: writing?.kind === "text" ? cursor : to,
    typed: writing?.text ?? "",
    field,
  });
  const inside = before.reduce((depth, { kind }) => depth + (kind === "open" ? 1 : kind === "close" ? -1 : 0), 0) > 0;
  const ahead = before.at(-2);
  if (inside) {
    if (!last || last.kind === "open" || last.kind === "logic" || last.kind === "paren") return made("key");
    const compares = last.kind === "compare" || (last.kind === "relation" && /^[<>]$/.test(last.text));
    if (compares) return made("value", ahead?.kind === "word" ? ahead.text : "");
    if (last.kind === "word" && ahead && (ahead.kind === "compare" || /^[<>]$/.test(ahead.text))) return made("join");
    return made(last.kind === "word" ? "operator" : "join");
  }
  if (!last) return made("spanset");
  const opened = before.findLastIndex(({ kind }) => kind === "paren" || kind === "end");
  if (opened > 0 && before[opened].kind === "paren" && FIELD_FUNCTIONS.has(before[opened - 1].text)) {
    return last.kind === "paren" || last.kind === "comma" ? made("key") : made("join");
  }
  if (last.kind === "pipe") return made("stage");
  if (last.kind === "relation" || last.kind === "logic") return made("spanset");
  return made("relation");
}

const INTRINSICS = ["name", "status", "duration", "kind", "rootServiceName", "rootName", "traceDuration", "statusMessage", "event:name"];
const STATUSES = ["error", "ok", "unset"];
const KINDS = ["server", "client", "internal", "producer", "consumer"];
const DURATIONS = ["10ms", "100ms", "500ms", "1s", "5s"];
const PLAIN_NAME = /^[^\s{}()=~!<>&|^,"]+$/;
const SHOWN_MAX = 40;

/** Return how a question names a field. */
export function fieldText({ scope, name }: KnownField): string {
  const quoted = PLAIN_NAME.test(name) ? name : `"${name.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  return scope === "" ? quoted : `${scope}.${quoted}`;
}

function keys(fields: readonly KnownField[]): Suggestion[] {
  const scoped = fields.filter(({ scope }) => scope === "span" || scope === "resource" || scope === "event");
  return [
    { label: "resource.service.name", text: "resource.service.name ", detail: "resource" },
    ...INTRINSICS.map((label) => ({ label, text: `${label} `, detail: "intrinsic" })),
    ...scoped
      .filter(({ scope, name }) => scope !== "resource" || name !== "service.name")
      .map((field) => ({ label: fieldText(field), text: `${fieldText(field)} `, detail: field.scope })),
  ];
}

const OPERATORS = ["=", "!=", "=~", "!~", ">", ">=", "<", "<="];

function plain(labels: readonly string[], detail: string, after = " "): Suggestion[] {
  return labels.map((label) => ({ label, text: `${label}${after}`, detail }));
}

const STAGES: readonly Suggestion[] = [
  { label: "rate()", text: "rate() ", detail: "metric" },
  { label: "rate() by (…)", text: "rate() by ()", cursor: 11, detail: "metric" },
  { label: "quantile_over_time(duration, …)", text: "quantile_over_time(duration, 0.5, 0.95, 0.99) ", detail: "metric" },
  { label: "histogram_over_time(duration)", text: "histogram_over_time(duration) ", detail: "metric" },
  { label: "count_over_time()", text: "count_over_time() ", detail: "metric" },
  { label: "avg_over_time(duration)", text: "avg_over_time(duration) ", detail: "metric" },
  { label: "count() > …", text: "count() > ", detail: "trace" },
  { label: "avg(duration) > …", text: "avg(duration) > ", detail: "trace" },
  { label: "by(…)", text: "by()", cursor: 3, detail: "trace" },
  { label: "select(…)", text: "select()", cursor: 7, detail: "trace" },
];

/** Whether the values of a field come from a list that the language has. */
export function fixedValues(field: string): readonly string[] | null {
  if (field === "status" || field === "span:status") return STATUSES;
  if (field === "kind" || field === "span:kind") return KINDS;
  if (/[dD]uration$/.test(field)) return DURATIONS;
  return null;
}

/** A value of a field as the server gives it. */
export interface KnownValue {
  readonly type: string;
  readonly value: string;
}

/** Return how a question writes a value. */
export function valueText({ type, value }: KnownValue): string {
  if (type === "string") return `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  return value;
}

/** Return what to offer at a place, what begins with the typed first. */
export function suggest(
  place: Place,
  fields: readonly KnownField[],
  values: readonly KnownValue[],
): readonly Suggestion[] {
  let all: readonly Suggestion[];
  switch (place.kind) {
    case "spanset":
      all = [{ label: "{ … }", text: "{  }", cursor: 2, detail: "spans" }];
      break;
    case "key":
      all = keys(fields);
      break;
    case "operator":
      all = plain(OPERATORS, "compares");
      break;
    case "value": {
      const fixed = fixedValues(place.field);
      all = fixed ? plain(fixed, "value") : values.map((value) => ({ label: value.value, text: `${valueText(value)} `, detail: "value" }));
      break;
    }
    case "join":
      all = plain(["&&", "||"], "joins");
      break;
    case "relation":
      all = [...plain(["|"], "then"), ...plain([">>", ">", "<<", "<", "~", "&&", "||"], "relation")];
      break;
    case "stage":
      all = STAGES;
  }
  const wanted = place.typed.replace(/^"|"$/g, "").toLowerCase();
  if (wanted === "") return all.slice(0, SHOWN_MAX);
  const bare = wanted.startsWith(".") ? wanted.slice(1) : wanted;
  const rank = ({ label }: Suggestion): number => {
    const name = label.toLowerCase();
    if (name.startsWith(bare)) return 0;
    return name.replace(/^(span|resource|event)\./, "").startsWith(bare) ? 1 : 2;
  };
  return all
    .filter(({ label, text }) => label.toLowerCase().includes(bare) && text.trim() !== place.typed)
    .toSorted((a, b) => rank(a) - rank(b))
    .slice(0, SHOWN_MAX);
}

/** Return the text with a suggestion written at its place, and where the cursor goes. */
export function written(text: string, place: Place, suggestion: Suggestion): { readonly text: string; readonly cursor: number } {
  const rest = text.slice(place.to);
  const said = suggestion.text.endsWith(" ") && rest.startsWith(" ") ? suggestion.text.slice(0, -1) : suggestion.text;
  const start = place.from + (suggestion.cursor ?? suggestion.text.length);
  return { text: text.slice(0, place.from) + said + rest, cursor: Math.min(start, place.from + said.length + (rest.startsWith(" ") ? 1 : 0)) };
}
