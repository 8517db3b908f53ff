/** Heatmaps of the spans that match, and what is different about a part of one. */

import { keepPreviousData, queryOptions } from "@tanstack/react-query";

import type { Box } from "../model/heat.ts";
import { api, told } from "./client.ts";
import { asked, type LanguageAsk } from "./language.ts";

export function heatQuery(ask: LanguageAsk, columns: number, enabled: boolean) {
  const query = { ...asked(ask), columns };
  return queryOptions({
    queryKey: ["heat", query],
    queryFn: async ({ signal }) => told(api.GET("/api/search/heatmap", { params: { query }, signal })),
    enabled: enabled && columns > 0,
    placeholderData: keepPreviousData,
    structuralSharing: false,
    staleTime: 60_000,
  });
}

/** What is selected: a part of the map, the failed ones, or both. */
export interface Selection {
  readonly box: Box | null;
  readonly failed: boolean;
}

export function differentQuery(ask: LanguageAsk, { box, failed }: Selection) {
  const query = {
    q: ask.query,
    start: Math.floor(ask.start),
    end: Math.ceil(ask.end),
    ...(box && { windowStart: box.from, windowEnd: box.to, minDuration: `${box.shortest}ns`, maxDuration: `${box.longest}ns` }),
    ...(failed && { errors: true }),
  };
  return queryOptions({
    queryKey: ["different", query],
    queryFn: async ({ signal }) => told(api.GET("/api/lymer/v1/diagnosis/explain", { params: { query }, signal })),
    enabled: box !== null || failed,
    staleTime: Infinity,
  });
}
