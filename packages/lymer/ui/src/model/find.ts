/** Find in trace: Jaeger's `uiFind` language and what it matches. */

import type { TraceColumns } from "./columns.ts";
import type { JaegerKeyValue, JaegerTrace } from "./jaeger.ts";

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

function contains(terms: readonly string[], text: string): boolean {
  const lower = text.toLowerCase();
  return terms.some((term) => lower.includes(term));
}

function withoutZeros(id: string): string {
  return id.replace(/^0+/, "");
}

function matchesKeyValues(terms: FindTerms, pairs: readonly JaegerKeyValue[]): boolean {
  return pairs.some(
    ({ key, value }) =>
      !contains(terms.exclude, key) && contains(terms.include, `${key}=${String(value)}`),
  );
}

/** Return one flag per span for what can be told from the columns: service, name, span id. */
export function findInColumns(trace: TraceColumns, terms: FindTerms): Uint8Array {
  const flags = new Uint8Array(trace.count);
  if (terms.include.length === 0) return flags;
  const services = trace.services.map((name) => contains(terms.include, name));
  const names = trace.names.map((name) => contains(terms.include, name));
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

/**
 * Return the ids of the spans whose attributes, resource or events match.
 *
 * A term that occurs in the key or in the value occurs in `key=value` as well, so one test on the
 * joined text covers all three of Jaeger's.
 */
export function findInDetails(trace: JaegerTrace, terms: FindTerms): string[] {
  if (terms.include.length === 0) return [];
  const processes = new Map<string, boolean>();
  for (const [id, process] of Object.entries(trace.processes)) {
    processes.set(id, matchesKeyValues(terms, process.tags ?? []));
  }
  const found: string[] = [];
  for (const span of trace.spans) {
    const hit =
      processes.get(span.processID) === true ||
      matchesKeyValues(terms, span.tags) ||
      span.logs.some((log) => matchesKeyValues(terms, log.fields));
    if (hit) found.push(span.spanID);
  }
  return found;
}

/** Return the match after (`by` 1) or before (-1) `row`, around the ends; -1 if there is none. */
export function nextMatch(matches: Int32Array, row: number, by: 1 | -1): number {
  if (matches.length === 0) return -1;
  if (by > 0) return matches.find((match) => match > row) ?? matches[0];
  return matches.findLast((match) => match < row) ?? matches[matches.length - 1];
}
