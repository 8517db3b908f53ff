/** Builders of made-up traces. */

import { decodeSkeleton, type TraceColumns } from "../src/model/columns.ts";

/** One span of a made-up trace; `parent` is an index, -1 for none. */
export interface MadeSpan {
  readonly parent?: number;
  readonly service?: string;
  readonly name?: string;
  readonly start?: number;
  readonly duration?: number;
  readonly error?: boolean;
  readonly orphan?: boolean;
  readonly id?: string;
}

export function makeTrace(spans: readonly MadeSpan[]): TraceColumns {
  const services = [...new Set(spans.map(({ service }) => service ?? "shop"))];
  const names = [...new Set(spans.map(({ name }) => name ?? "work"))];
  return decodeSkeleton({
    traceId: "000000000000000000000000000000ab",
    startUnixNano: "1700000000000000000",
    services,
    names,
    spanId: spans.map(({ id }, index) => id ?? (index + 1).toString(16).padStart(16, "0")),
    parent: spans.map(({ parent }) => parent ?? -1),
    orphan: spans.flatMap(({ orphan }, index) => (orphan ? [index] : [])),
    service: spans.map(({ service }) => services.indexOf(service ?? "shop")),
    name: spans.map(({ name }) => names.indexOf(name ?? "work")),
    kind: spans.map(() => 1),
    status: spans.map(({ error }) => (error ? 2 : 0)),
    startOffsetNano: spans.map(({ start }, index) => start ?? index),
    durationNano: spans.map(({ duration }) => duration ?? 10),
    events: spans.map(() => 0),
    links: spans.map(() => 0),
    warnings: [],
  });
}
