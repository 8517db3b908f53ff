/** Every question the pages ask the server, as a TanStack Query option. */

import { queryOptions } from "@tanstack/react-query";

import { decodeSkeleton, type Skeleton, type TraceColumns } from "../model/columns.ts";
import type { JaegerTrace } from "../model/jaeger.ts";
import { summariesParams, type Question } from "../model/question.ts";
import { readSummary, summarize, type Summary, type WireSummary } from "../model/summary.ts";
import { ApiError, getJson } from "./client.ts";

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
  const path = `api/lymer/v1/traces/${encodeURIComponent(traceId)}/skeleton`;
  return decodeSkeleton(await getJson<Skeleton>(path, signal));
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
      const path = `api/lymer/v1/traces/${traceId}/spans/${spanId}`;
      const answer = await getJson<Envelope<JaegerTrace[]>>(path, signal);
      return answer.data?.[0] ?? null;
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
}
