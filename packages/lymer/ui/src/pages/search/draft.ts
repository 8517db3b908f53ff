/** The search form while it is being filled in: text as typed, and what is wrong with it. */

import type { Dictionary } from "../../i18n/index.ts";
import { parseDuration } from "../../model/duration.ts";
import { formatLogfmt, parseLogfmt } from "../../model/logfmt.ts";
import {
  CUSTOM,
  LIMIT_DEFAULT,
  LOOKBACK_DEFAULT,
  questionRange,
  type Question,
} from "../../model/question.ts";

export interface Draft {
  readonly service: string;
  readonly operation: string;
  readonly tags: string;
  readonly lookback: string;
  /** Local time as the browser's field writes it. */
  readonly from: string;
  readonly to: string;
  readonly minDuration: string;
  readonly maxDuration: string;
  readonly limit: string;
}

/** Field → what is wrong with it. */
export type Faults = Readonly<Partial<Record<keyof Draft, string>>>;

/** Return `2026-11-22T14:03:21`, local time, from Unix microseconds. */
export function localText(micros: number): string {
  const date = new Date(micros / 1000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

export function draftOf(question: Question, nowMicros: number): Draft {
  const [start, end] = questionRange(question, nowMicros);
  return {
    service: question.service,
    operation: question.operation,
    tags: formatLogfmt(question.tags),
    lookback: question.lookback,
    from: localText(start),
    to: localText(end),
    minDuration: question.minDuration,
    maxDuration: question.maxDuration,
    limit: String(question.limit),
  };
}

export const EMPTY_QUESTION: Question = {
  query: "",
  service: "",
  operation: "",
  tags: {},
  lookback: LOOKBACK_DEFAULT,
  startMicros: null,
  endMicros: null,
  minDuration: "",
  maxDuration: "",
  limit: LIMIT_DEFAULT,
  traceIds: [],
  spans: {},
};

function durationFaults(draft: Draft, t: Dictionary): Faults {
  const faults: Record<string, string> = {};
  const shortest = draft.minDuration ? parseDuration(draft.minDuration) : 0;
  const longest = draft.maxDuration ? parseDuration(draft.maxDuration) : Number.POSITIVE_INFINITY;
  if (shortest === null) faults["minDuration"] = t.search.durationBad;
  if (longest === null) faults["maxDuration"] = t.search.durationBad;
  if (shortest !== null && longest !== null && longest < shortest) {
    faults["maxDuration"] = t.search.durationOrderBad;
  }
  return faults;
}

/** Return the question a draft asks, or what is wrong with it. */
export function checkDraft(
  draft: Draft,
  t: Dictionary,
  limitMax: number,
): { readonly question: Question } | { readonly faults: Faults } {
  const faults: Record<string, string> = { ...durationFaults(draft, t) };
  const tags = parseLogfmt(draft.tags);
  if (!tags.ok) faults["tags"] = t.search.tagsBad(tags.position);
  const limit = Number(draft.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > limitMax) {
    faults["limit"] = t.search.limitBad(limitMax);
  }
  const custom = draft.lookback === CUSTOM;
  const startMicros = custom ? Date.parse(draft.from) * 1000 : null;
  const endMicros = custom ? Date.parse(draft.to) * 1000 : null;
  if (custom && !((endMicros ?? 0) > (startMicros ?? 0))) faults["to"] = t.search.rangeBad;
  if (Object.keys(faults).length > 0 || !tags.ok) return { faults };
  const { service, operation, lookback, minDuration, maxDuration } = draft;
  return {
    question: {
      ...EMPTY_QUESTION,
      service,
      operation: operation.trim(),
      tags: tags.tags,
      lookback,
      startMicros,
      endMicros,
      minDuration: minDuration.trim(),
      maxDuration: maxDuration.trim(),
      limit,
    },
  };
}
