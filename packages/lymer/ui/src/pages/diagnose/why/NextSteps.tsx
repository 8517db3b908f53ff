/** Where one goes from a cause: its traces, what is different about them, where their time goes. */

import type { ReactNode } from "react";
import { Link } from "wouter";

import type { Candidate } from "../../../api/diagnosis.ts";
import { useLocale } from "../../../i18n/index.ts";
import { quoted } from "../../../model/narrow.ts";

/** Return the question that finds the spans of a place. */
export function placeQuestion(one: Pick<Candidate, "service" | "operation">): string {
  const operation = one.operation ? ` && name = ${quoted(one.operation)}` : "";
  return `{ resource.service.name = ${quoted(one.service)}${operation} }`;
}

interface NextStepsProps {
  readonly one: Candidate;
  /** When it went wrong, microseconds. */
  readonly window: readonly [number, number];
}

export function NextSteps({ one, window }: NextStepsProps): ReactNode {
  const { t } = useLocale();
  const question = placeQuestion(one);
  const [start, end] = window;
  const before = Math.floor(start - (end - start) * 2);
  const search = new URLSearchParams({ q: question, lookback: "custom", start: String(before), end: String(Math.ceil(end)), limit: "20" });
  const failed = one.evidence.what === "error";
  search.set(failed ? "failed" : "box", failed ? "1" : `${Math.floor(start)}-${Math.ceil(end)},0-3600000000000`);
  const diagnose = (view: string, more: Readonly<Record<string, string>> = {}): string =>
    `/diagnose?${new URLSearchParams({ view, q: question, last: "15m", end: String(Math.ceil(end)), ...more }).toString()}`;
  return (
    <nav className="ly-next-steps" aria-label={`${t.map.goOn}: ${one.service} ${one.operation ?? ""} ${one.evidence.what}`}>
      <Link href={`/search?${search.toString()}`}>{t.why.incident.traces}</Link>
      <Link href={diagnose("different", failed ? { errors: "1" } : { slowest: "5%" })}>{t.diagnose.views.different}</Link>
      <Link href={diagnose("profile", { against: "before", last: (end - start) / 6e7 <= 3 ? "2m" : (end - start) / 6e7 <= 8 ? "5m" : "15m" })}>{t.why.incident.profile}</Link>
      <Link href={`/dependencies?service=${encodeURIComponent(one.service)}&lookback=15m&selected=${encodeURIComponent(one.service)}`}>{t.nav.map}</Link>
    </nav>
  );
}
