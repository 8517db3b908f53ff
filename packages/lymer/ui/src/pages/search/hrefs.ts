/** Addresses that search results lead to. */

import type { Question } from "../../model/question.ts";
import type { Summary } from "../../model/summary.ts";

/** Return the address of a trace's page, with the spans marked that the search named. */
export function traceHref(summary: Summary, question: Question): string {
  const marked = question.spans[summary.traceId];
  return `/trace/${summary.traceId}${marked ? `?uiFind=${encodeURIComponent(marked)}` : ""}`;
}

/** Return the address that compares traces: the first two side by side, all of them to choose from. */
export function compareHref(ids: readonly string[]): string {
  const cohort = ids.map((id) => `cohort=${id}`).join("&");
  return `/trace/${ids[0] ?? ""}...${ids[1] ?? ""}${cohort ? `?${cohort}` : ""}`;
}
