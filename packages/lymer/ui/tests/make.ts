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

/** Return the id of each span. */
export function idsOf(trace: TraceColumns): string[] {
  return Array.from({ length: trace.count }, (_, span) => trace.spanId.at(span));
}

/** Return spans of a random tree, by start, all times whole; the same seed gives the same tree. */
export function randomSpans(seed: number, count: number): MadeSpan[] {
  let state = (seed * 2654435761) >>> 0 || 1;
  const below = (limit: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
  const made: Required<Pick<MadeSpan, "parent" | "start" | "duration">>[] = [];
  for (let span = 0; span < count; span++) {
    const parent = span > 0 && below(20) > 0 ? below(span) : -1;
    const above = made[parent];
    const start = above ? Math.max(0, above.start + below(above.duration + 10) - 5) : below(50);
    made.push({ parent, start, duration: 1 + below(above ? above.duration + 5 : 400) });
  }
  const order = made.map((_, span) => span).sort((a, b) => made[a].start - made[b].start || a - b);
  const place = new Map(order.map((span, at) => [span, at]));
  return order.map((span) => ({ ...made[span], parent: place.get(made[span].parent) ?? -1 }));
}
