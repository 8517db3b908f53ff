/** Every question the pages ask the server, as a TanStack Query option. */

import { queryOptions } from "@tanstack/react-query";

import { readGraph, type CallGraph, type WireGraph } from "../model/callGraph.ts";
import type { TraceColumns } from "../model/columns.ts";
import type { JaegerTrace } from "../model/jaeger.ts";
import { summariesParams, type Question } from "../model/question.ts";
import { readSummary, summarize, type Summary, type WireSummary } from "../model/summary.ts";
import type { DeepPath } from "../model/deepPaths.ts";
import { readFamily, type MetricFamily } from "../model/metrics.ts";
import { columnsOf } from "../model/fromJaeger.ts";
import { decodeColumns } from "../model/binaryColumns.ts";
import { ApiError, getBytes, getJson, getText, postJson } from "./client.ts";
import { allUploads, uploadOf } from "./uploads.ts";

interface Envelope<T> {
  readonly data: T | null;
}

/** How often a fresh install looks for its first service, milliseconds. */
const FIRST_SERVICE_POLL_MS = 2_000;
/** How many of the traces of a `traceID` list are fetched at a time. */
const PARALLEL_TRACES = 6;

export function servicesQuery() {
  return queryOptions({
    queryKey: ["services"],
    queryFn: async ({ signal }) => {
      const answer = await getJson<Envelope<string[]>>("api/services", signal);
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
      const path = `api/operations?service=${encodeURIComponent(service)}`;
      const answer = await getJson<Envelope<{ name: string }[]>>(path, signal);
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
  return decodeColumns(await getBytes(`api/lymer/v1/traces/${encodeURIComponent(traceId)}/columns`, signal));
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
      const params = summariesParams(question, Date.now() * 1000);
      const path = `api/v3/trace-summaries?${params.toString()}`;
      try {
        const answer = await getJson<{ summaries?: WireSummary[] }>(path, signal);
        return (answer.summaries ?? []).map(readSummary);
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
      const path = `api/lymer/v1/traces/${traceId}/spans/${spanId}`;
      const answer = await getJson<Envelope<JaegerTrace[]>>(path, signal);
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
      return getText(`api/traces/${traceId}?prettyPrint=true${raw ? "&raw=true" : ""}`, signal);
    },
    staleTime: 60_000,
    gcTime: 30_000,
  });
}

/** A whole trace in Jaeger's JSON. */
export async function fetchJaegerTrace(traceId: string): Promise<JaegerTrace | null> {
  const upload = uploadOf(traceId);
  if (upload) return upload;
  return (await getJson<Envelope<JaegerTrace[]>>(`api/traces/${traceId}`)).data?.[0] ?? null;
}

/** Keep a trace in the archive. */
export async function archiveTrace(traceId: string): Promise<void> {
  await postJson(`api/archive/${traceId}`, null);
}

/** Have the server read OTLP; nothing is stored. */
export async function transformOtlp(resourceSpans: readonly unknown[]): Promise<readonly JaegerTrace[]> {
  const answer = await postJson<Envelope<JaegerTrace[]>>("api/transform", JSON.stringify({ resourceSpans }));
  return answer.data ?? [];
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

/** Services and links between them over the last `lookbackMillis`. */
export function serviceGraphQuery(lookbackMillis: number) {
  return queryOptions({
    queryKey: ["service-graph", lookbackMillis],
    queryFn: async ({ signal }): Promise<CallGraph> => {
      const path = `api/lymer/v1/service-graph?endTs=${Date.now()}&lookback=${Math.round(lookbackMillis)}`;
      return readGraph(await getJson<WireGraph>(path, signal));
    },
    staleTime: 30_000,
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
  const params = new URLSearchParams({
    service: ask.service,
    endTs: String(ask.endMillis),
    lookback: String(ask.lookbackMillis),
    step: String(ask.stepMillis),
    ratePer: String(RATE_PER_MS),
    spanKind: ask.spanKind,
    groupByOperation: String(detail.byOperation === true),
    ...(detail.quantile === undefined ? {} : { quantile: String(detail.quantile) }),
  });
  return queryOptions({
    queryKey: ["metrics", name, params.toString()],
    queryFn: async ({ signal }) => {
      const family = await getJson<MetricFamily>(`api/metrics/${name}?${params.toString()}`, signal);
      return readFamily(family, detail.byOperation ? "operation" : "");
    },
    structuralSharing: false,
    staleTime: 60_000,
  });
}

export interface QualityExample {
  readonly traceID: string;
  readonly spanIDs?: readonly string[];
}

export interface QualityMetric {
  readonly name: string;
  readonly description: string;
  readonly passCount: number;
  readonly passExamples?: readonly QualityExample[];
  readonly failureCount: number;
  readonly failureExamples?: readonly QualityExample[];
  readonly exemptionCount?: number;
  readonly exemptionExamples?: readonly QualityExample[];
}

/** Jaeger's quality metrics, as far as this UI shows them. */
export interface Quality {
  readonly bannerText?: string | { readonly value: string };
  readonly scores: readonly { readonly key: string; readonly label: string; readonly max: number; readonly value: number }[];
  readonly metrics: readonly QualityMetric[];
  readonly clients?: readonly {
    readonly version: string;
    readonly minVersion: string;
    readonly count: number;
    readonly examples: readonly QualityExample[];
  }[];
}

export function qualityQuery(service: string, hours: number) {
  return queryOptions({
    queryKey: ["quality", service, hours],
    queryFn: async ({ signal }): Promise<Quality> => {
      const path = `api/quality-metrics?service=${encodeURIComponent(service)}&hours=${hours}`;
      const answer = await getJson<Partial<Quality> & Partial<Envelope<Quality>>>(path, signal);
      const quality = answer.data ?? answer;
      return { ...quality, scores: quality.scores ?? [], metrics: quality.metrics ?? [] };
    },
    enabled: service !== "",
    staleTime: 60_000,
  });
}

interface WirePath {
  readonly path: readonly { readonly service: string; readonly operation: string }[];
  readonly attributes?: readonly { readonly key: string; readonly value: string }[];
  readonly count?: number;
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
      const params = new URLSearchParams({ service, start: String(end - lookbackMicros), end: String(end) });
      if (operation) params.set("operation", operation);
      const path = `api/deep-dependencies?${params.toString()}`;
      const answer = await getJson<{ dependencies?: readonly WirePath[]; sample?: number }>(path, signal);
      return { paths: (answer.dependencies ?? []).map(readDeepPath), sample: answer.sample };
    },
    enabled: service !== "",
    staleTime: 60_000,
  });
}

function readDeepPath({ path, attributes, count }: WirePath): DeepPath {
  const traceIds = (attributes ?? []).filter(({ key }) => key === "exemplar_trace_id").map(({ value }) => value);
  return { path, count: count ?? 1, traceIds };
}
