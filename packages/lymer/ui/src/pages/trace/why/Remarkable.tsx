/** What is remarkable about a trace: repeated calls folded into one line, gaps, retries, clocks, orphans. */

import { queryOptions, useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import "../../../styles/peers.css";

import { api, told } from "../../../api/client.ts";
import { useLocale } from "../../../i18n/index.ts";
import { WarningIcon } from "../../../kit/icons.tsx";
import { Failed } from "../../../kit/states.tsx";
import { formatDuration } from "../../../model/duration.ts";
import type { Shape } from "../../../model/wire.ts";
import { useShownTrace } from "../context.ts";

type Finding = Shape<"Findings">["findings"][number];

function findingsQuery(traceId: string, enabled: boolean) {
  return queryOptions({
    queryKey: ["findings", traceId],
    queryFn: async ({ signal }) =>
      (await told(api.GET("/api/lymer/v1/traces/{trace_id}/findings", { params: { path: { trace_id: traceId } }, signal }))).findings,
    enabled,
    staleTime: 60_000,
    retry: false,
  });
}

const SHOWN_MAX = 30;
/** So many spans of a finding are marked. */
const MARKED_MAX = 40;

export default function Remarkable({ onFind }: { readonly onFind: (text: string) => void }): ReactNode {
  const { t, number, percent } = useLocale();
  const { trace, uploaded } = useShownTrace();
  const query = useQuery(findingsQuery(trace.displayTraceId, uploaded !== true));
  if (query.isError) {
    return (
      <div className="ly-remarkable">
        <Failed text={t.why.remarkable.failed} error={query.error} onRetry={() => void query.refetch()} />
      </div>
    );
  }
  const findings = query.data ?? [];
  if (findings.length === 0) return null;
  const text = (one: Finding): string => {
    const what = t.why.remarkable.kinds[one.kind] ?? one.kind;
    const cost = one.nanoseconds > 0 ? ` · ${formatDuration(one.nanoseconds)}${one.part > 0 ? ` · ${percent(one.part)}` : ""}` : "";
    return `${what}${cost}`;
  };
  return (
    <details className="ly-remarkable">
      <summary>
        <WarningIcon /> {t.why.remarkable.title(findings.length)}
      </summary>
      <ol>
        {findings.slice(0, SHOWN_MAX).map((one, at) => (
          <li key={at}>
            <button type="button" className="ly-linklike" onClick={() => onFind(one.spanIds.slice(0, MARKED_MAX).join(" "))}>
              {one.count > 1 && <strong>×{number(one.count)} </strong>}
              {one.service} {one.operation}
            </button>
            <span className="ly-muted">{text(one)}</span>
          </li>
        ))}
      </ol>
    </details>
  );
}
