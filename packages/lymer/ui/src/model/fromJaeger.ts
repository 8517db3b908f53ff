/** A trace in Jaeger's JSON as columns: for files, which no server has turned into a skeleton. */

import { decodeSkeleton, type Skeleton, type TraceColumns } from "./columns.ts";
import type { JaegerKeyValue, JaegerSpan, JaegerTrace } from "./jaeger.ts";

const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"];

function tagOf(tags: readonly JaegerKeyValue[], key: string): JaegerKeyValue["value"] | undefined {
  return tags.find((tag) => tag.key === key)?.value;
}

function statusOf(tags: readonly JaegerKeyValue[]): number {
  const error = tagOf(tags, "error");
  if (error === true || error === "true" || tagOf(tags, "otel.status_code") === "ERROR") return 2;
  return tagOf(tags, "otel.status_code") === "OK" ? 1 : 0;
}

/** Index of the first reference to a span of the same trace; itself and later rings are cut by the tree. */
function parentOf(span: JaegerSpan, byId: ReadonlyMap<string, number>, own: number): number {
  for (const { spanID, traceID } of span.references) {
    const found = byId.get(spanID);
    if (found !== undefined && found !== own && (!traceID || traceID === span.traceID)) return found;
  }
  return -1;
}

class Names {
  readonly list: string[] = [];
  readonly #places = new Map<string, number>();

  place(name: string): number {
    let place = this.#places.get(name);
    if (place === undefined) {
      place = this.list.push(name) - 1;
      this.#places.set(name, place);
    }
    return place;
  }
}

/** Build the columns; spans in order of start. */
export function columnsOf(trace: JaegerTrace): TraceColumns {
  const spans = trace.spans.toSorted((a, b) => a.startTime - b.startTime);
  const byId = new Map(spans.map(({ spanID }, index) => [spanID, index] as const).toReversed());
  const services = new Names();
  const names = new Names();
  const startMicros = spans[0]?.startTime ?? 0;
  const parent = spans.map((span, index) => parentOf(span, byId, index));
  const skeleton: Skeleton = {
    traceId: trace.traceID.toLowerCase().padStart(32, "0"),
    startUnixNano: String(BigInt(Math.round(startMicros)) * 1000n),
    spanId: spans.map(({ spanID }) => spanID),
    parent,
    orphan: spans.flatMap(({ references }, index) => (references.length > 0 && parent[index] < 0 ? [index] : [])),
    service: spans.map(({ processID }) => services.place(trace.processes[processID]?.serviceName ?? "")),
    name: spans.map(({ operationName }) => names.place(operationName)),
    kind: spans.map(({ tags }) => Math.max(0, KINDS.indexOf(String(tagOf(tags, "span.kind") ?? "")))),
    status: spans.map(({ tags }) => statusOf(tags)),
    startOffsetNano: spans.map(({ startTime }) => Math.round((startTime - startMicros) * 1000)),
    durationNano: spans.map(({ duration }) => Math.round(duration * 1000)),
    events: spans.map(({ logs }) => logs.length),
    links: spans.map(({ references }) => Math.max(0, references.length - 1)),
    warnings: spans.flatMap(({ warnings }, index) =>
      (warnings ?? []).map((text): readonly [number, string] => [index, text]),
    ),
    services: services.list,
    names: names.list,
  };
  return decodeSkeleton(skeleton);
}
