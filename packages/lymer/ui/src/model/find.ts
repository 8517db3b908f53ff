/** Find in trace: Jaeger's `uiFind` language and what it matches. */

import type { TraceColumns } from "./columns.ts";

/** What somebody typed, taken apart. All terms are lower case. */
export interface FindTerms {
  /** A span matches if any of these occurs in it. */
  readonly include: readonly string[];
  /** Keys that contain one of these are not looked at. Written `-key`. */
  readonly exclude: readonly string[];
}

/** Split at white space, keep quoted parts together; a leading `-` excludes keys. */
export function parseFind(text: string): FindTerms {
  const include: string[] = [];
  const exclude: string[] = [];
  for (const match of text.matchAll(/(-?)"([^"]*)"?|(\S+)/g)) {
    const quoted = match[2] !== undefined;
    const word = match[3] ?? "";
    const excludes = quoted ? match[1] === "-" : word.startsWith("-") && word.length > 1;
    const term = (quoted ? match[2] : word.slice(excludes ? 1 : 0)).toLowerCase();
    if (term) (excludes ? exclude : include).push(term);
  }
  return { include, exclude };
}

/** Whether any of the terms, which are lower case, occurs in the text. */
export function includesTerm(terms: readonly string[], text: string): boolean {
  const lower = text.toLowerCase();
  return terms.some((term) => lower.includes(term));
}

function withoutZeros(id: string): string {
  return id.replace(/^0+/, "");
}

/** Return one flag per span for what can be told from the columns: service, name, span id. */
export function findInColumns(trace: TraceColumns, terms: FindTerms): Uint8Array {
  const flags = new Uint8Array(trace.count);
  if (terms.include.length === 0) return flags;
  const services = trace.services.map((name) => includesTerm(terms.include, name));
  const names = trace.names.map((name) => includesTerm(terms.include, name));
  const ids = new Set(terms.include.map(withoutZeros));
  for (let span = 0; span < trace.count; span++) {
    const hit =
      services[trace.service[span]] ||
      names[trace.name[span]] ||
      ids.has(withoutZeros(trace.spanId[span]));
    flags[span] = hit ? 1 : 0;
  }
  return flags;
}

/** Return the match after (`by` 1) or before (-1) `row`, around the ends; -1 if there is none. */
export function nextMatch(matches: Int32Array, row: number, by: 1 | -1): number {
  if (matches.length === 0) return -1;
  if (by > 0) return matches.find((match) => match > row) ?? matches[0];
  return matches.findLast((match) => match < row) ?? matches[matches.length - 1];
}
