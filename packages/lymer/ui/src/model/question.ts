/** A search as it stands in the URL: Jaeger's parameter names, so that old links keep working. */

import { parseDuration } from "./duration.ts";
import type { Tags } from "./logfmt.ts";

/** Everything the search form can ask. Empty text means not given. */
export interface Question {
  /** In the search language; then the fields of the form say nothing. */
  readonly query: string;
  readonly service: string;
  readonly operation: string;
  readonly tags: Tags;
  /** One of `LOOKBACKS` or `custom`. */
  readonly lookback: string;
  /** Unix microseconds, or null: now minus the lookback. */
  readonly startMicros: number | null;
  /** Unix microseconds, or null: now. */
  readonly endMicros: number | null;
  /** Go durations such as `1.2s`. */
  readonly minDuration: string;
  readonly maxDuration: string;
  readonly limit: number;
  /** Show exactly these traces and ignore the rest of the form. */
  readonly traceIds: readonly string[];
  /** Span ids to mark, by trace id. Read from `span=id id@trace`, which also names the trace. */
  readonly spans: Readonly<Record<string, string>>;
}

export const LIMIT_DEFAULT = 20;
export const LIMIT_MAX = 1500;
export const LOOKBACK_DEFAULT = "1h";
export const CUSTOM = "custom";
export const LOOKBACKS = [
  "5m", "15m", "30m", "1h", "2h", "3h", "6h", "12h", "24h", "2d", "3d", "5d", "7d", "2w", "3w", "4w",
] as const;

const UNIT_MICROS: Readonly<Record<string, number>> = {
  s: 1e6,
  m: 60e6,
  h: 3600e6,
  d: 86_400e6,
  w: 7 * 86_400e6,
};

/** The last instant that is exact as a number and fits into 64 bits of nanoseconds: the year 2255. */
const INSTANT_MICROS_MAX = 9_007_199_254_740_991;
/** Longest lookback that is taken at its word: ten years. */
const LOOKBACK_MICROS_MAX = 3650 * 86_400e6;

/** Return the microseconds in `5m` … `4w`, or null if it is no such text or far too long. */
function readLookback(text: string): number | null {
  const match = /^(\d{1,9})([smhdw])$/.exec(text);
  const micros = match ? Number(match[1]) * UNIT_MICROS[match[2]] : 0;
  return micros > 0 && micros <= LOOKBACK_MICROS_MAX ? micros : null;
}

/** Return the microseconds in `5m` … `4w`; what cannot be read counts as the default. */
export function lookbackMicros(lookback: string): number {
  return readLookback(lookback) ?? UNIT_MICROS["h"];
}

/** Return Unix microseconds, or null if the text is no instant. */
function readInstant(text: string | null): number | null {
  if (!/^\d{1,16}$/.test(text ?? "")) return null;
  const value = Number(text);
  return value <= INSTANT_MICROS_MAX ? value : null;
}

function readDuration(text: string | null): string {
  return text !== null && parseDuration(text) !== null ? text : "";
}

function readTags(params: URLSearchParams): Tags {
  const tags: Record<string, string> = {};
  try {
    const parsed: unknown = JSON.parse(params.get("tags") ?? "{}");
    if (parsed !== null && typeof parsed === "object" && !Array.isArray(parsed)) {
      for (const [key, value] of Object.entries(parsed)) {
        if (key && typeof value !== "object") tags[key] = String(value);
      }
    }
  } catch {
    // an unreadable link still opens, without tags
  }
  for (const pair of params.getAll("tag")) {
    const colon = pair.indexOf(":");
    if (colon > 0) tags[pair.slice(0, colon)] = pair.slice(colon + 1);
  }
  return tags;
}

export const TRACE_ID = /^[0-9a-f]{1,32}$/;

/** What the site's configuration decides about searches. */
export interface QuestionDefaults {
  readonly lookback: string;
  readonly limitMax: number;
}

const DEFAULTS: QuestionDefaults = { lookback: LOOKBACK_DEFAULT, limitMax: LIMIT_MAX };

/** Read a question from the URL; unreadable values count as not given. */
export function readQuestion(params: URLSearchParams, defaults = DEFAULTS): Question {
  const limitText = params.get("limit") ?? "";
  const operation = params.get("operation") ?? "";
  const spans: Record<string, string> = {};
  const traceIds = params.getAll("traceID").map((id) => id.trim().toLowerCase());
  for (const mark of params.getAll("span")) {
    const [ids, traceId] = mark.split("@").map((part) => part.trim().toLowerCase());
    if (!TRACE_ID.test(traceId ?? "")) continue;
    traceIds.push(traceId);
    const full = traceId.padStart(32, "0");
    if (ids) spans[full] = spans[full] ? `${spans[full]} ${ids}` : ids;
  }
  const startMicros = readInstant(params.get("start"));
  const endMicros = readInstant(params.get("end"));
  const ordered = startMicros === null || endMicros === null || startMicros < endMicros;
  const given = params.get("lookback") ?? "";
  const known = given === CUSTOM ? startMicros !== null && ordered : readLookback(given) !== null;
  return {
    query: (params.get("q") ?? "").trim(),
    service: params.get("service") ?? "",
    operation: operation === "all" ? "" : operation,
    tags: readTags(params),
    lookback: known ? given : startMicros === null || !ordered ? defaults.lookback : CUSTOM,
    startMicros: ordered ? startMicros : null,
    endMicros: ordered ? endMicros : null,
    minDuration: readDuration(params.get("minDuration")),
    maxDuration: readDuration(params.get("maxDuration")),
    limit: /^\d{1,9}$/.test(limitText)
      ? Math.min(defaults.limitMax, Math.max(1, Number(limitText)))
      : LIMIT_DEFAULT,
    traceIds: [...new Map(traceIds.filter((id) => TRACE_ID.test(id)).map((id) => [id.padStart(32, "0"), id])).values()],
    spans,
  };
}

/** Write a question to URL parameters. */
export function writeQuestion(question: Question): URLSearchParams {
  const params = new URLSearchParams();
  const put = (name: string, value: string): void => {
    if (value) params.set(name, value);
  };
  put("q", question.query);
  put("service", question.service);
  put("operation", question.operation);
  if (Object.keys(question.tags).length > 0) params.set("tags", JSON.stringify(question.tags));
  put("lookback", question.lookback);
  put("start", question.startMicros === null ? "" : String(question.startMicros));
  put("end", question.endMicros === null ? "" : String(question.endMicros));
  put("minDuration", question.minDuration);
  put("maxDuration", question.maxDuration);
  params.set("limit", String(question.limit));
  for (const id of question.traceIds) params.append("traceID", id);
  return params;
}

/** Return the time range a question means at `nowMicros`, Unix microseconds. */
export function questionRange(question: Question, nowMicros: number): readonly [number, number] {
  const end = question.endMicros ?? nowMicros;
  return [question.startMicros ?? Math.max(0, end - lookbackMicros(question.lookback)), end];
}

/**
 * Fix the range at `nowMicros`, as Jaeger does when somebody presses the button.
 *
 * `endsBefore`: so long before now it ends (`1m`), for traces whose last spans are still on their way.
 */
export function askedAt(question: Question, nowMicros: number, endsBefore = ""): Question {
  if (question.lookback === CUSTOM) return question;
  const startMicros = nowMicros - lookbackMicros(question.lookback);
  const endMicros = nowMicros - (readLookback(endsBefore) ?? 0);
  return { ...question, startMicros, endMicros: endMicros > startMicros ? endMicros : nowMicros };
}

/** Return RFC 3339 text with microseconds, which the API wants. */
export function rfc3339(micros: number): string {
  const whole = Math.floor(micros);
  const text = new Date(Math.floor(whole / 1000)).toISOString();
  return text.replace(/\.(\d{3})Z$/, (_, millis: string) => {
    return `.${millis}${String(whole % 1000).padStart(3, "0")}Z`;
  });
}

/** Return the query of `/api/v3/trace-summaries` for a question. */
export function summariesParams(question: Question, nowMicros: number) {
  const [start, end] = questionRange(question, nowMicros);
  const { service, operation, tags, minDuration, maxDuration } = question;
  return {
    ...(service && { "query.serviceName": service }),
    ...(operation && { "query.operationName": operation }),
    ...(Object.keys(tags).length > 0 && { "query.attributes": JSON.stringify(tags) }),
    "query.startTimeMin": rfc3339(start),
    "query.startTimeMax": rfc3339(end),
    ...(minDuration && { "query.durationMin": minDuration }),
    ...(maxDuration && { "query.durationMax": maxDuration }),
    "query.searchDepth": question.limit,
  };
}
