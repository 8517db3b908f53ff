/** Every question the pages ask the server, as a TanStack Query option. */

import { queryOptions } from "@tanstack/react-query";

import type { TraceColumns } from "../model/columns.ts";
import type { JaegerTrace } from "../model/jaeger.ts";
import { summariesParams, type Question } from "../model/question.ts";
import { readSummary, summarize, type Summary } from "../model/summary.ts";
import type { DeepPath } from "../model/deepPaths.ts";
import { readFamily } from "../model/metrics.ts";
import { columnsOf } from "../model/fromJaeger.ts";
import { decodeColumns } from "../model/binaryColumns.ts";
import type { Shape } from "../model/wire.ts";
import { api, ApiError, told } from "./client.ts";
import { allUploads, uploadOf } from "./uploads.ts";

/** How often a fresh install looks for its first service, milliseconds. */
const FIRST_SERVICE_POLL_MS = 2_000;
/** How many of the traces of a `traceID` list are fetched at a time. */
const PARALLEL_TRACES = 6;

export function servicesQuery() {
  return queryOptions({
    queryKey: ["services"],
    queryFn: async ({ signal }) => {
      const answer = await told(api.GET("/api/services", { signal }));
      return (answer.data ?? []).toSorted((a, b) => a.localeCompare(b));
    },
    staleTime: 30_000,
    refetchInterval: (query) => (query.state.data?.length === 0 ? FIRST_SERVICE_POLL_MS : false),
  });
}

export function operationsQuery(service: string) {
  return queryOptions({
    queryKey: ["operations", service],
    queryFn: async ({ signal }) => {
      const answer = await told(api.GET("/api/operations", { params: { query: { service } }, signal }));
      const names = new Set((answer.data ?? []).map((operation) => operation.name));
      return [...names].toSorted((a, b) => a.localeCompare(b));
    },
    enabled: service !== "",
    staleTime: 30_000,
  });
}

async function fetchTrace(traceId: string, signal: AbortSignal): Promise<TraceColumns> {
  const upload = uploadOf(traceId);
  if (upload) return columnsOf(upload);
  const params = { path: { trace_id: traceId } };
  return decodeColumns(
    await told(api.GET("/api/lymer/v1/traces/{trace_id}/columns", { params, signal, parseAs: "arrayBuffer" })),
  );
}

async function summarizeIds(ids: readonly string[], signal: AbortSignal): Promise<Summary[]> {
  const found: Summary[] = [];
  for (let at = 0; at < ids.length; at += PARALLEL_TRACES) {
    const some = ids.slice(at, at + PARALLEL_TRACES).map(async (id) => {
      try {
        return summarize(await fetchTrace(id, signal));
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return null;
        throw error;
      }
    });
    for (const summary of await Promise.all(some)) if (summary) found.push(summary);
  }
  return found;
}

/** The answer to a search, and the time it was asked at. */
export function searchQuery(question: Question, enabled: boolean) {
  return queryOptions({
    queryKey: ["search", question],
    queryFn: async ({ signal }): Promise<Summary[]> => {
      if (question.traceIds.length > 0) return summarizeIds(question.traceIds, signal);
      const query = summariesParams(question, Date.now() * 1000);
      try {
        return (await told(api.GET("/api/v3/trace-summaries", { params: { query }, signal }))).summaries.map(readSummary);
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return []; // Jaeger: nothing found
        throw error;
      }
    },
    enabled,
    staleTime: 60_000,
  });
}

/** The traces out of files. */
export function uploadsQuery(enabled: boolean) {
  return queryOptions({
    queryKey: ["uploads"],
    queryFn: () => Promise.resolve(allUploads().map((trace) => summarize(columnsOf(trace)))),
    enabled,
  });
}

export function traceQuery(traceId: string) {
  return queryOptions({
    queryKey: ["trace", traceId],
    queryFn: ({ signal }) => fetchTrace(traceId, signal),
    staleTime: 60_000,
    gcTime: 60_000,
    structuralSharing: false,
  });
}

/** One span with its attributes; null if the server knows the trace but not the span. */
export function spanQuery(traceId: string, spanId: string) {
  return queryOptions({
    queryKey: ["span", traceId, spanId],
    queryFn: async ({ signal }) => {
      const upload = uploadOf(traceId);
      if (upload) return { ...upload, spans: upload.spans.filter((span) => span.spanID === spanId) };
      const params = { path: { trace_id: traceId, span_id: spanId } };
      const answer = await told(api.GET("/api/lymer/v1/traces/{trace_id}/spans/{span_id}", { params, signal }));
      return answer.data?.[0] ?? null;
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** The trace as text, one field a line. */
export function traceTextQuery(traceId: string, raw: boolean) {
  return queryOptions({
    queryKey: ["trace-text", traceId, raw],
    queryFn: ({ signal }) => {
      const upload = uploadOf(traceId);
      if (upload) return JSON.stringify({ data: [upload] }, null, 4);
      const params = { path: { trace_id: traceId }, query: { prettyPrint: true, ...(raw && { raw }) } };
      return told(api.GET("/api/traces/{trace_id}", { params, signal, parseAs: "text" }));
    },
    staleTime: 60_000,
    gcTime: 30_000,
  });
}

/** A whole trace in Jaeger's JSON. */
export async function fetchJaegerTrace(traceId: string): Promise<JaegerTrace | null> {
  const upload = uploadOf(traceId);
  if (upload) return upload;
  const answer = await told(api.GET("/api/traces/{trace_id}", { params: { path: { trace_id: traceId } } }));
  return answer.data?.[0] ?? null;
}

/** Keep a trace in the archive. */
export async function archiveTrace(traceId: string): Promise<void> {
  await told(api.POST("/api/archive/{trace_id}", { params: { path: { trace_id: traceId } } }));
}

/** Have the server read OTLP; nothing is stored. */
export async function transformOtlp(resourceSpans: readonly unknown[]): Promise<readonly JaegerTrace[]> {
  return (await told(api.POST("/api/transform", { body: { resourceSpans } }))).data ?? [];
}

/** Summaries of the traces one compares. */
export function cohortQuery(ids: readonly string[]) {
  return queryOptions({
    queryKey: ["cohort", ids],
    queryFn: ({ signal }) => summarizeIds(ids, signal),
    enabled: ids.length > 0,
    staleTime: 60_000,
  });
}

/** What metrics are asked about. */
export interface MetricsAsk {
  readonly service: string;
  readonly spanKind: string;
  readonly endMillis: number;
  readonly lookbackMillis: number;
  readonly stepMillis: number;
}

interface MetricsDetail {
  readonly quantile?: number;
  readonly byOperation?: boolean;
}

/** Window of a rate, milliseconds: as Jaeger's own page asks. */
const RATE_PER_MS = 600_000;

/** One of Jaeger's three metrics as series, by operation or in all. */
export function metricsQuery(name: "latencies" | "calls" | "errors", ask: MetricsAsk, detail: MetricsDetail) {
  const query = {
    service: [ask.service],
    endTs: ask.endMillis,
    lookback: ask.lookbackMillis,
    step: ask.stepMillis,
    ratePer: RATE_PER_MS,
    spanKind: [ask.spanKind],
    groupByOperation: detail.byOperation === true,
    ...(detail.quantile !== undefined && { quantile: detail.quantile }),
  };
  return queryOptions({
    queryKey: ["metrics", name, query],
    queryFn: async ({ signal }) => {
      const family = await told(api.GET("/api/metrics/{name}", { params: { path: { name }, query }, signal }));
      return readFamily(family as Shape<"MetricFamily">, detail.byOperation ? "operation" : "");
    },
    structuralSharing: false,
    staleTime: 60_000,
  });
}

export function qualityQuery(service: string, hours: number) {
  return queryOptions({
    queryKey: ["quality", service, hours],
    queryFn: async ({ signal }) =>
      told(api.GET("/api/quality-metrics", { params: { query: { service, hours } }, signal })),
    enabled: service !== "",
    staleTime: 60_000,
  });
}

/** Ways past a service; `sample`: the newest traces they were taken from, if there are more. */
interface DeepPaths {
  readonly paths: readonly DeepPath[];
  readonly sample?: number | undefined;
}

export function deepPathsQuery(service: string, operation: string, lookbackMicros: number) {
  return queryOptions({
    queryKey: ["deep", service, operation, lookbackMicros],
    queryFn: async ({ signal }): Promise<DeepPaths> => {
      const end = Date.now() * 1000;
      const query = { service, start: end - lookbackMicros, end, ...(operation && { operation }) };
      const answer = await told(api.GET("/api/deep-dependencies", { params: { query }, signal }));
      return { paths: answer.dependencies.map(readDeepPath), sample: answer.sample };
    },
    enabled: service !== "",
    staleTime: 60_000,
  });
}

function readDeepPath({ path, attributes, count }: Shape<"DeepPaths">["dependencies"][number]): DeepPath {
  const traceIds = attributes.filter(({ key }) => key === "exemplar_trace_id").map(({ value }) => value);
  return { path, count, traceIds };
}
