/** Find in trace: Jaeger's `uiFind` language and what it matches. */

import type { TraceColumns } from "./columns.ts";

/** What somebody typed, taken apart. All terms are lower case. */
export interface FindTerms {
  /** A span matches if any of these occurs in it. */
  readonly include: readonly string[];
  /** Keys that contain one of these are not looked at. Written `-key`. */
  readonly exclude: readonly string[];
}

/**
 * Split at white space and quotes, keep quoted parts together; a leading `-` excludes keys.
 *
 * Source: Jaeger UI v2.20, `utils/filter-spans.ts`; `-` alone and before a quote are ours.
 */
export function parseFind(text: string): FindTerms {
  const include: string[] = [];
  const exclude: string[] = [];
  for (const [, minus, quoted, word] of text.matchAll(/(-?)"([^"]*)"|([^\s"]+)/g)) {
    const excludes = quoted === undefined ? word.startsWith("-") : minus === "-";
    const term = (quoted ?? word.slice(excludes ? 1 : 0)).toLowerCase();
    if (term) (excludes ? exclude : include).push(term);
  }
  return { include, exclude };
}

/** Whether any of the terms, which are lower case, occurs in the text. */
export function includesTerm(terms: readonly string[], text: string): boolean {
  const lower = text.toLowerCase();
  return terms.some((term) => lower.includes(term));
}

/** Return one flag per span for what can be told from the columns: service, name, span id. */
export function findInColumns(trace: TraceColumns, terms: FindTerms): Uint8Array {
  const flags = new Uint8Array(trace.count);
  if (terms.include.length === 0) return flags;
  const services = trace.services.map((name) => includesTerm(terms.include, name));
  const names = trace.names.map((name) => includesTerm(terms.include, name));
  for (let span = 0; span < trace.count; span++) {
    flags[span] = services[trace.service[span]] || names[trace.name[span]] ? 1 : 0;
  }
  trace.spanId.mark(terms.include, flags);
  return flags;
}

/** Return the match after (`by` 1) or before (-1) `row`, around the ends; -1 if there is none. */
export function nextMatch(matches: Int32Array, row: number, by: 1 | -1): number {
  if (matches.length === 0) return -1;
  if (by > 0) return matches.find((match) => match > row) ?? matches[0];
  return matches.findLast((match) => match < row) ?? matches[matches.length - 1];
}
