/** Questions to the worker about the attributes of a trace, as query options. */

import { queryOptions } from "@tanstack/react-query";

import type { TraceIndex } from "../../api/traceIndex.ts";

export function attributeKeys(index: TraceIndex, traceId: string) {
  return queryOptions({
    queryKey: ["attribute-keys", traceId],
    queryFn: () => index.ask({ kind: "keys" }),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** Values of one attribute by span id; service and operation are in the columns. */
export function attributeValues(index: TraceIndex, traceId: string, key: string) {
  return queryOptions({
    queryKey: ["attribute", traceId, key],
    queryFn: () => index.ask({ kind: "values", key }),
    enabled: key !== "" && key !== "service" && key !== "operation",
    structuralSharing: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function traceEvents(index: TraceIndex, traceId: string) {
  return queryOptions({
    queryKey: ["events", traceId],
    queryFn: () => index.ask({ kind: "events" }),
    structuralSharing: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
}
