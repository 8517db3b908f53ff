/** Questions in the search language, and what helps to write them. */

import { queryOptions } from "@tanstack/react-query";

import { readSummary, type Summary } from "../model/summary.ts";
import type { Shape } from "../model/wire.ts";
import { api, told } from "./client.ts";

/** What is asked in the language: microseconds since the epoch. */
export interface LanguageAsk {
  readonly query: string;
  readonly start: number;
  readonly end: number;
}

/** Return the parameters of a question; its times have sixteen digits, so they are microseconds. */
export function asked({ query, start, end }: LanguageAsk): { readonly q: string; readonly start: string; readonly end: string } {
  return { q: query, start: String(Math.floor(start)), end: String(Math.floor(end)) };
}

/** The fields of the form that ask the same. */
export type FormFields = Shape<"FormFields">;
export type Checked = Shape<"Checked">;

export function checkQuery(query: string) {
  return queryOptions({
    queryKey: ["check", query],
    queryFn: async ({ signal }) => told(api.GET("/api/search/check", { params: { query: { q: query } }, signal })),
    enabled: query.trim() !== "",
    staleTime: Infinity,
  });
}

export interface FoundTraces {
  readonly summaries: readonly Summary[];
  /** Trace id → ids of matching spans, with spaces between. */
  readonly marks: Readonly<Record<string, string>>;
  readonly complete: boolean;
  readonly reason: string;
}

export function languageSearchQuery(ask: LanguageAsk, limit: number, enabled: boolean) {
  return queryOptions({
    queryKey: ["language-search", ask, limit],
    queryFn: async ({ signal }): Promise<FoundTraces> => {
      const query = { ...asked(ask), limit };
      const { summaries, complete, reason } = await told(api.GET("/api/search/summaries", { params: { query }, signal }));
      return {
        summaries: summaries.map(readSummary),
        marks: Object.fromEntries(summaries.map(({ traceId, spanIds }) => [traceId, spanIds.join(" ")])),
        complete,
        reason,
      };
    },
    enabled,
    staleTime: 60_000,
  });
}

/** How far back completion looks, microseconds. */
const KNOWN_MICROS = 3600e6;

export function fieldsQuery(now: number, enabled: boolean) {
  const query = asked({ query: "", start: now - KNOWN_MICROS, end: now });
  return queryOptions({
    queryKey: ["fields", now],
    queryFn: async ({ signal }) => (await told(api.GET("/api/search/fields", { params: { query }, signal }))).fields,
    enabled,
    staleTime: 60_000,
  });
}

export function valuesQuery(field: string, now: number, enabled: boolean) {
  const query = { ...asked({ query: "", start: now - KNOWN_MICROS, end: now }), field, limit: 200 };
  return queryOptions({
    queryKey: ["values", field, now],
    queryFn: async ({ signal }) => (await told(api.GET("/api/search/values", { params: { query }, signal }))).values,
    enabled: enabled && field !== "",
    staleTime: 60_000,
    retry: false,
  });
}

export function seriesQuery(ask: LanguageAsk, enabled: boolean) {
  return queryOptions({
    queryKey: ["series", ask],
    queryFn: async ({ signal }) => told(api.GET("/api/search/series", { params: { query: asked(ask) }, signal })),
    enabled,
    staleTime: 60_000,
  });
}
