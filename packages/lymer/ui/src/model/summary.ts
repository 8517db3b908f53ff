/** Trace summaries as the search shows them, and Jaeger's ten ways to sort them. */

import { STATUS_ERROR, type TraceColumns } from "./columns.ts";
import { buildTree } from "./tree.ts";
import type { Shape } from "./wire.ts";

/** One service within a trace. */
export interface ServiceCount {
  readonly name: string;
  readonly spans: number;
  readonly errors: number;
}

/** One line of search results. */
export interface Summary {
  readonly traceId: string;
  readonly service: string;
  readonly operation: string;
  /** Unix microseconds. */
  readonly startMicros: number;
  readonly durationNano: number;
  readonly spans: number;
  readonly errors: number;
  readonly orphans: number;
  readonly services: readonly ServiceCount[];
}

/** Fill in what the wire leaves out. */
export function readSummary(wire: Shape<"V3Summary">): Summary {
  const start = BigInt(wire.minStartTimeUnixNano ?? "0");
  const end = BigInt(wire.maxEndTimeUnixNano ?? "0");
  return {
    traceId: wire.traceId,
    service: wire.rootServiceName ?? "",
    operation: wire.rootOperationName ?? "",
    startMicros: Number(start / 1000n),
    durationNano: Number(end > start ? end - start : 0n),
    spans: wire.spanCount ?? 0,
    errors: wire.errorSpanCount ?? 0,
    orphans: wire.orphanSpanCount ?? 0,
    services: (wire.services ?? []).map((service) => ({
      name: service.name ?? "",
      spans: service.spanCount ?? 0,
      errors: service.errorSpanCount ?? 0,
    })),
  };
}

/** Make the summary of a whole trace, for lists of trace ids, which the API does not summarise. */
export function summarize(trace: TraceColumns): Summary {
  const services = trace.services.map((name) => ({ name, spans: 0, errors: 0 }));
  for (let span = 0; span < trace.count; span++) {
    const service = services[trace.service[span]];
    service.spans++;
    if (trace.status[span] === STATUS_ERROR) service.errors++;
  }
  const root = buildTree(trace).root;
  return {
    traceId: trace.traceId,
    service: trace.services[trace.service[root]] ?? "",
    operation: trace.names[trace.name[root]] ?? "",
    startMicros: Number(trace.startUnixNano / 1000n),
    durationNano: trace.durationNano,
    spans: trace.count,
    errors: trace.errorCount,
    orphans: trace.orphanCount,
    services,
  };
}

export const SORTS = [
  "MOST_RECENT", "OLDEST_FIRST", "LONGEST_FIRST", "SHORTEST_FIRST", "MOST_SPANS", "LEAST_SPANS",
  "MOST_ERRORS", "LEAST_ERRORS", "NAME_A_Z", "NAME_Z_A",
] as const;

export type Sort = (typeof SORTS)[number];

const ORDERS: Readonly<Record<Sort, (a: Summary, b: Summary) => number>> = {
  MOST_RECENT: (a, b) => b.startMicros - a.startMicros,
  OLDEST_FIRST: (a, b) => a.startMicros - b.startMicros,
  LONGEST_FIRST: (a, b) => b.durationNano - a.durationNano,
  SHORTEST_FIRST: (a, b) => a.durationNano - b.durationNano,
  MOST_SPANS: (a, b) => b.spans - a.spans,
  LEAST_SPANS: (a, b) => a.spans - b.spans,
  MOST_ERRORS: (a, b) => b.errors - a.errors,
  LEAST_ERRORS: (a, b) => a.errors - b.errors,
  NAME_A_Z: (a, b) => summaryName(a).localeCompare(summaryName(b)),
  NAME_Z_A: (a, b) => summaryName(b).localeCompare(summaryName(a)),
};

/** Return the name of a trace as lists show it. */
export function summaryName(summary: Summary): string {
  return `${summary.service}: ${summary.operation}`;
}

/** Return a sorted copy; equal traces stay newest first. */
export function sortSummaries(summaries: readonly Summary[], sort: Sort): Summary[] {
  const order = ORDERS[sort];
  return summaries.toSorted((a, b) => order(a, b) || b.startMicros - a.startMicros);
}

/** Return `text` as a sort order, or null. */
export function readSort(text: string | null): Sort | null {
  return SORTS.find((sort) => sort === text) ?? null;
}
