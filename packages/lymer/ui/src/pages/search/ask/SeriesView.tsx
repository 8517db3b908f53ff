/** The answer to a question that asks for numbers over time: lines, and the same as a table. */

import { useQuery } from "@tanstack/react-query";
import { useMemo, type ReactNode } from "react";

import "../../../styles/plain.css";

import { seriesQuery, type LanguageAsk } from "../../../api/language.ts";
import { useLocale } from "../../../i18n/index.ts";
import { Button } from "../../../kit/buttons.tsx";
import { Chart } from "../../../kit/chart.tsx";
import { ErrorText, Loading, Notice } from "../../../kit/states.tsx";
import { formatDuration } from "../../../model/duration.ts";
import { drawnSeries } from "../../../model/promSeries.ts";

interface SeriesViewProps {
  readonly ask: LanguageAsk;
  /** A range was marked, microseconds. */
  readonly onRange: (start: number, end: number) => void;
}

export default function SeriesView({ ask, onRange }: SeriesViewProps): ReactNode {
  const { t, compact } = useLocale();
  const answer = useQuery(seriesQuery(ask, true));
  const drawn = useMemo(() => drawnSeries(answer.data?.series ?? []), [answer.data]);
  const lines = useMemo(() => drawn.lines.map(({ name }, color) => ({ name, color })), [drawn]);
  const measuresTime = /\(\s*(trace)?duration\b/i.test(ask.query) && !/histogram_over_time/.test(ask.query);
  const format = useMemo(() => (measuresTime ? (value: number) => formatDuration(value * 1e9) : compact), [measuresTime, compact]);
  if (answer.isError) {
    return (
      <Notice alert title={t.search.failed} actions={<Button onClick={() => void answer.refetch()}>{t.common.retry}</Button>}>
        <ErrorText error={answer.error} />
      </Notice>
    );
  }
  if (answer.data === undefined) return <Loading label={t.search.searching} />;
  if (drawn.lines.length === 0) {
    return (
      <Notice title={t.search.noneTitle}>
        <p>{t.why.ask.noNumbers}</p>
      </Notice>
    );
  }
  const summary = drawn.lines.map(({ name, last }) => `${name}: ${format(last)}`).join(", ");
  return (
    <div className="ly-results-scroll ly-series">
      <Chart
        title={t.why.ask.chart}
        summary={summary}
        lines={lines}
        data={drawn.data}
        format={format}
        sync="language"
        onRange={(from, to) => onRange(from * 1e6, to * 1e6)}
      />
      {answer.data.series.length > drawn.lines.length && (
        <p className="ly-series-note">{t.why.ask.series(drawn.lines.length, answer.data.series.length)}</p>
      )}
      {!answer.data.complete && answer.data.reason && <p className="ly-series-note">{t.why.ask.incomplete(answer.data.reason)}</p>}
      <table className="ly-plain-table">
        <thead>
          <tr>
            <th scope="col">{t.why.ask.chart}</th>
            <th scope="col">{t.why.ask.mean}</th>
            <th scope="col">{t.why.ask.last}</th>
          </tr>
        </thead>
        <tbody>
          {drawn.lines.map(({ name, mean, last }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{format(mean)}</td>
              <td>{format(last)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
