/** What one service did in the window: rate, errors and duration as small lines, and its slowest traces. */

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";

import { examplesQuery, lineQuery } from "../../api/liveMap.ts";
import { useLocale } from "../../i18n/index.ts";
import { Sparkline } from "../../kit/sparkline.tsx";
import { Failed } from "../../kit/states.tsx";
import { formatDuration } from "../../model/duration.ts";
import { quoted } from "../../model/narrow.ts";
import { drawnSeries, type WireSeries } from "../../model/promSeries.ts";

interface MeanwhileProps {
  readonly service: string;
  /** Microseconds. */
  readonly start: number;
  readonly end: number;
}

function valuesOf(series: readonly WireSeries[] | undefined): readonly (number | null)[] {
  return drawnSeries(series ?? []).data[1] ?? [];
}

export function Meanwhile({ service, start, end }: MeanwhileProps): ReactNode {
  const { t, compact } = useLocale();
  const place = `resource.service.name = ${quoted(service)} && (kind = server || kind = consumer)`;
  const lines = [
    useQuery(lineQuery(`{ ${place} } | rate()`, start, end)),
    useQuery(lineQuery(`{ ${place} && status = error } | rate()`, start, end)),
    useQuery(lineQuery(`{ ${place} } | quantile_over_time(duration, 0.95)`, start, end)),
  ];
  const [rate, errors, p95] = lines.map(({ data }) => valuesOf(data));
  const slowest = useQuery(examplesQuery(`{ ${place} }`, start, end));
  const examples = slowest.data ?? [];
  const answers = [...lines, slowest];
  const failed = answers.find(({ isError }) => isError);
  const last = (values: readonly (number | null)[]): number => values.findLast((value) => value !== null) ?? 0;
  const rows = [
    { name: t.diagnose.changed.rate, values: rate, text: `${compact(last(rate))}${t.monitor.perSecond}`, tone: "plain" },
    { name: t.map.errors, values: errors, text: `${compact(last(errors))}${t.monitor.perSecond}`, tone: "error" },
    { name: "p95", values: p95, text: formatDuration(last(p95) * 1e9), tone: "plain" },
  ] as const;
  return (
    <>
      {failed && <Failed error={failed.error} onRetry={() => answers.forEach((answer) => answer.isError && void answer.refetch())} />}
      <section>
        <h3>{t.why.map.meanwhile}</h3>
        <ul className="ly-sparks">
          {rows.map(({ name, values, text, tone }) => (
            <li key={name}>
              <span>{name}</span>
              <Sparkline values={values} label={`${service}: ${name}: ${text}`} tone={tone} />
              <span className="ly-count">{text}</span>
            </li>
          ))}
        </ul>
      </section>
      {examples.length > 0 && (
        <section>
          <h3>{t.why.map.slowest}</h3>
          <ul>
            {examples.map(({ traceId, durationNano, service: root, operation }) => (
              <li key={traceId}>
                <Link href={`/trace/${traceId}`}>
                  {root} {operation}
                </Link>
                <span className="ly-count">{formatDuration(durationNano)}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}
