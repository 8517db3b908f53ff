/** The service graph at an instant with what was before, and what one service did meanwhile. */

import { queryOptions, keepPreviousData } from "@tanstack/react-query";

import { readGraph, type CallGraph } from "../model/callGraph.ts";
import type { WireSeries } from "../model/promSeries.ts";
import { readSummary, type Summary } from "../model/summary.ts";
import { api, told } from "./client.ts";
import { asked } from "./language.ts";

/** How often a live map is drawn anew, milliseconds. */
export const LIVE_MS = 10_000;

/** `endMillis` 0: now, and again and again. */
export function liveGraphQuery(lookbackMillis: number, endMillis: number) {
  return queryOptions({
    queryKey: ["live-graph", lookbackMillis, endMillis],
    queryFn: async ({ signal }): Promise<CallGraph> => {
      const query = { endTs: endMillis || Date.now(), lookback: Math.round(lookbackMillis), compare: true };
      return readGraph(await told(api.GET("/api/lymer/v1/service-graph", { params: { query }, signal })));
    },
    staleTime: LIVE_MS,
    refetchInterval: endMillis === 0 ? LIVE_MS : false,
    placeholderData: keepPreviousData,
  });
}

/** The longest time of which spans are counted one by one for a line, microseconds. */
const LINE_MICROS_MAX = 6 * 3600e6;

/** Numbers over time of the spans that match. */
export function lineQuery(query: string, start: number, end: number) {
  const ask = { query, start: Math.max(start, end - LINE_MICROS_MAX), end };
  return queryOptions({
    queryKey: ["line", ask],
    queryFn: async ({ signal }): Promise<readonly WireSeries[]> =>
      (await told(api.GET("/api/search/series", { params: { query: { ...asked(ask), step: String(Math.max(1, Math.round((end - ask.start) / 40e6))) } }, signal }))).series,
    staleTime: 60_000,
    placeholderData: keepPreviousData,
  });
}

/** The slowest traces with a span that matches. */
export function examplesQuery(query: string, start: number, end: number) {
  return queryOptions({
    queryKey: ["examples", query, start, end],
    queryFn: async ({ signal }): Promise<readonly Summary[]> => {
      const ask = { ...asked({ query, start: Math.max(start, end - LINE_MICROS_MAX), end }), limit: 3, order: "slowest" };
      return (await told(api.GET("/api/search/summaries", { params: { query: ask }, signal }))).summaries.map(readSummary);
    },
    staleTime: 60_000,
    placeholderData: keepPreviousData,
  });
}
