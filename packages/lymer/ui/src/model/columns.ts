/** The spans of one trace as columns: what the server's skeleton becomes in memory. */

import { TextIds, type SpanIds } from "./spanIds.ts";
import { isZeroLength } from "./zeroLength.ts";

/** The skeleton as the server sends it: one array per field, spans by start, then span id. */
export interface Skeleton {
  readonly traceId: string;
  /** Start of the trace, Unix nanoseconds, as a decimal string: too large for a double. */
  readonly startUnixNano: string;
  readonly services: readonly string[];
  readonly names: readonly string[];
  readonly spanId: readonly string[];
  /** Index of the parent span in this list, or -1. */
  readonly parent: readonly number[];
  /** Indices of the spans that name a parent which is not stored. */
  readonly orphan: readonly number[];
  readonly service: readonly number[];
  readonly name: readonly number[];
  /** OTLP `SpanKind`, 0 to 5. */
  readonly kind: readonly number[];
  /** OTLP `StatusCode`, 0 to 2. */
  readonly status: readonly number[];
  /** Nanoseconds since the start of the trace. */
  readonly startOffsetNano: readonly number[];
  readonly durationNano: readonly number[];
  readonly events: readonly number[];
  readonly links: readonly number[];
  /** Pairs of span index and warning text. */
  readonly warnings: readonly (readonly [number, string])[];
}

/** N spans, one typed array per field; an index into these arrays is called a *span*. */
export interface TraceColumns {
  readonly traceId: string;
  readonly startUnixNano: bigint;
  readonly count: number;
  readonly services: readonly string[];
  readonly names: readonly string[];
  readonly spanId: SpanIds;
  readonly parent: Int32Array;
  readonly service: Int32Array;
  readonly name: Int32Array;
  readonly kind: Uint8Array;
  readonly status: Uint8Array;
  readonly start: Float64Array;
  readonly duration: Float64Array;
  readonly events: Uint32Array;
  readonly links: Uint32Array;
  /** 1 where the span names a parent which is not stored. */
  readonly orphan: Uint8Array;
  readonly orphanCount: number;
  readonly errorCount: number;
  readonly warnings: ReadonlyMap<number, readonly string[]>;
  /** End of the last span, nanoseconds since the start of the trace; at least 1. */
  readonly durationNano: number;
  /** Self time of each span, if the server has worked it out. */
  readonly self?: Float64Array;
  /** The critical path, if the server has worked it out: spans, from when to when. */
  readonly criticalSections?: {
    readonly span: Int32Array;
    readonly from: Float64Array;
    readonly to: Float64Array;
  };
  /** 32 hex digits, or 16 when the upper half is zero, as Jaeger prints it. */
  readonly displayTraceId: string;
}

export const STATUS_ERROR = 2;

/** Return `traceId` as Jaeger prints it: 16 digits when the upper 64 bits are zero. */
export function displayTraceId(traceId: string): string {
  return traceId.length === 32 && traceId.startsWith("0000000000000000")
    ? traceId.slice(16)
    : traceId;
}

/** Turn the server's skeleton into typed arrays, once, on arrival. */
export function decodeSkeleton(skeleton: Skeleton): TraceColumns {
  const count = skeleton.spanId.length;
  const start = Float64Array.from(skeleton.startOffsetNano);
  const duration = Float64Array.from(skeleton.durationNano);
  const status = Uint8Array.from(skeleton.status);
  const orphan = new Uint8Array(count);
  for (const span of skeleton.orphan) orphan[span] = 1;
  return {
    traceId: skeleton.traceId,
    displayTraceId: displayTraceId(skeleton.traceId),
    startUnixNano: BigInt(skeleton.startUnixNano),
    count,
    services: skeleton.services,
    names: skeleton.names,
    spanId: new TextIds(skeleton.spanId),
    parent: Int32Array.from(skeleton.parent),
    service: Int32Array.from(skeleton.service),
    name: Int32Array.from(skeleton.name),
    kind: Uint8Array.from(skeleton.kind),
    status,
    start,
    duration,
    events: Uint32Array.from(skeleton.events),
    links: Uint32Array.from(skeleton.links),
    orphan,
    ...finishWarnings(skeleton.warnings, start, duration, status, orphan),
  };
}

/** Work out what both forms of a trace leave out. A span that took no time loses its warning, and its nanosecond. */
export function finishWarnings(
  texts: readonly (readonly [number, string])[],
  start: Float64Array,
  duration: Float64Array,
  status: Uint8Array,
  orphan: Uint8Array,
): Pick<TraceColumns, "warnings" | "durationNano" | "errorCount" | "orphanCount"> {
  const warnings = new Map<number, string[]>();
  for (const [span, text] of texts) {
    if (duration[span] <= 1 && isZeroLength(text)) {
      duration[span] = 0;
      continue;
    }
    const known = warnings.get(span);
    if (known) known.push(text);
    else warnings.set(span, [text]);
  }
  let durationNano = 1;
  let errorCount = 0;
  let orphanCount = 0;
  for (let span = 0; span < start.length; span++) {
    durationNano = Math.max(durationNano, start[span] + duration[span]);
    if (status[span] === STATUS_ERROR) errorCount++;
    orphanCount += orphan[span];
  }
  return { warnings, durationNano, errorCount, orphanCount };
}

/** Nearest ancestor of `span` that is kept, or -1; a ring of parents ends where it began. */
function keptAncestor(trace: TraceColumns, span: number, place: Int32Array): number {
  let above = trace.parent[span];
  for (let steps = 0; above >= 0 && place[above] < 0 && steps < trace.count; steps++) above = trace.parent[above];
  return above >= 0 ? place[above] : -1;
}

/** Return the trace with only some spans; what hung below a span left out hangs on the next above. */
export function withoutSpans(trace: TraceColumns, keep: (span: number) => boolean): TraceColumns {
  const kept: number[] = [];
  const place = new Int32Array(trace.count).fill(-1);
  for (let span = 0; span < trace.count; span++) if (keep(span)) place[span] = kept.push(span) - 1;
  const int = (column: Int32Array): Int32Array => Int32Array.from(kept, (span) => column[span]);
  const bytes = (column: Uint8Array): Uint8Array => Uint8Array.from(kept, (span) => column[span]);
  const status = bytes(trace.status);
  const orphan = bytes(trace.orphan);
  // What the server has worked out holds for all spans only.
  const { self: _self, criticalSections: _sections, ...rest } = trace;
  return {
    ...rest,
    count: kept.length,
    spanId: trace.spanId.pick(kept),
    parent: Int32Array.from(kept, (span) => keptAncestor(trace, span, place)),
    service: int(trace.service),
    name: int(trace.name),
    kind: bytes(trace.kind),
    status,
    start: Float64Array.from(kept, (span) => trace.start[span]),
    duration: Float64Array.from(kept, (span) => trace.duration[span]),
    events: Uint32Array.from(kept, (span) => trace.events[span]),
    links: Uint32Array.from(kept, (span) => trace.links[span]),
    orphan,
    orphanCount: orphan.reduce((sum, flag) => sum + flag, 0),
    errorCount: status.reduce((sum, code) => sum + (code === STATUS_ERROR ? 1 : 0), 0),
    warnings: new Map([...trace.warnings].flatMap(([span, texts]) => (place[span] < 0 ? [] : [[place[span], texts]]))),
  };
}
