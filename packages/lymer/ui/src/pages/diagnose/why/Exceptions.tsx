/** Failed spans, grouped by service, kind of exception and message; each with its course and its traces. */

import { useQuery } from "@tanstack/react-query";
import { useMemo, type ReactNode } from "react";
import { Link } from "wouter";

import type { DiagnosisAsk } from "../../../api/diagnosis.ts";
import { lineQuery } from "../../../api/liveMap.ts";
import { useLocale } from "../../../i18n/index.ts";
import { Sparkline } from "../../../kit/sparkline.tsx";
import { ErrorText, Loading, Notice } from "../../../kit/states.tsx";
import { readExceptions } from "../../../model/exceptions.ts";
import { quoted } from "../../../model/narrow.ts";

const BY = "| count_over_time() by (resource.service.name, event.exception.type, statusMessage)";
const SHOWN_MAX = 50;

/** Return the question narrowed to what failed. */
function failing(question: string): string {
  const only = "{ status = error }";
  return question.trim() ? `(${question}) | ${only}` : only;
}

export function Exceptions({ ask }: { readonly ask: DiagnosisAsk }): ReactNode {
  const { t, number } = useLocale();
  const answer = useQuery(lineQuery(`${failing(ask.question)} ${BY}`, ask.start, ask.end));
  const groups = useMemo(() => readExceptions(answer.data ?? []).slice(0, SHOWN_MAX), [answer.data]);
  if (answer.isError) {
    return (
      <Notice alert title={t.diagnose.failed}>
        <ErrorText error={answer.error} />
      </Notice>
    );
  }
  if (answer.isPending) return <Loading label={t.diagnose.loading} />;
  if (groups.length === 0) {
    return (
      <Notice title={t.why.exceptions.noneTitle}>
        <p>{t.why.exceptions.noneText}</p>
      </Notice>
    );
  }
  return (
    <table className="ly-plain-table ly-exceptions">
      <caption className="ly-hidden">{t.why.exceptions.title}</caption>
      <thead>
        <tr>
          <th scope="col">{t.why.exceptions.what}</th>
          <th scope="col">{t.why.exceptions.course}</th>
          <th scope="col">{t.why.exceptions.count}</th>
        </tr>
      </thead>
      <tbody>
        {groups.map((one) => {
          const conditions = [
            `resource.service.name = ${quoted(one.service)}`,
            "status = error",
            ...(one.type ? [`event.exception.type = ${quoted(one.type)}`] : []),
            ...(one.message ? [`statusMessage = ${quoted(one.message)}`] : []),
          ];
          const params = new URLSearchParams({
            q: `{ ${conditions.join(" && ")} }`,
            lookback: "custom",
            start: String(Math.floor(ask.start)),
            end: String(Math.ceil(ask.end)),
          });
          const name = one.type || one.message || t.why.exceptions.unnamed;
          return (
            <tr key={`${one.service} ${one.type} ${one.message}`}>
              <th scope="row">
                <Link href={`/search?${params.toString()}`}>
                  {one.service}: {name}
                </Link>
                {one.type && one.message && <span className="ly-muted"> {one.message}</span>}
              </th>
              <td>
                <Sparkline values={one.values} tone="error" label={`${name}: ${number(one.count)}`} />
              </td>
              <td>{number(one.count)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
