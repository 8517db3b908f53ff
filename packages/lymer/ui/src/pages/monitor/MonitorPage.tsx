/** `/monitor`: rate, errors and duration of a service and its operations. */

import { useQueries, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState, type ReactNode } from "react";
import { useLocation } from "wouter";

import "../../styles/monitor.css";

import { ApiError } from "../../api/client.ts";
import { metricsQuery, servicesQuery, type MetricsAsk } from "../../api/queries.ts";
import { keep, kept } from "../../app/storage.ts";
import { useParams } from "../../app/url.ts";
import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { Chart } from "../../kit/chart.tsx";
import { SelectField } from "../../kit/fields.tsx";
import { ErrorText, Failed, Loading, Notice } from "../../kit/states.tsx";
import { formatDuration } from "../../model/duration.ts";
import { alignSeries, operationLines, seriesOf, type Series } from "../../model/metrics.ts";
import { oneOf, text, whole } from "../../model/params.ts";
import { lookbackMicros } from "../../model/question.ts";
import { lookbackLabel } from "../search/lookback.ts";
import { OperationTable } from "./OperationTable.tsx";

const HOUR_MS = 3_600_000;
const KINDS = ["server", "client", "internal", "producer", "consumer"] as const;
const FRAMES = ["5m", "15m", "30m", "1h", "2h", "3h", "6h", "12h", "24h", "2d"] as const;
/** Jaeger's addresses; `timeframe` is in milliseconds, `end` (ours) as well, 0 for now. */
const MONITOR_PARAMS = {
  service: text(),
  spanKind: oneOf(KINDS),
  timeframe: whole(HOUR_MS, 60_000, 48 * HOUR_MS),
  end: whole(0, 0, 9_000_000_000_000),
};
const QUANTILES = [0.5, 0.75, 0.95] as const;
/** Points of a chart, about. */
const POINTS = 120;
const SERVICE_KEY = "lymer.monitor.service";

const milliseconds = (value: number): string => formatDuration(value * 1e6);

export default function MonitorPage(): ReactNode {
  const { t } = useLocale();
  const [params, setParams] = useParams(MONITOR_PARAMS);
  const services = useQuery(servicesQuery());
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    document.title = `${t.nav.monitor} · ${t.common.appName}`;
  }, [t]);
  const names = services.data ?? [];
  const remembered = kept(SERVICE_KEY);
  const service = params.service || (names.includes(remembered) ? remembered : (names[0] ?? ""));
  useEffect(() => {
    if (params.service) keep(SERVICE_KEY, params.service);
  }, [params.service]);
  const frames = FRAMES.map((value) => ({ value: String(lookbackMicros(value) / 1000), label: lookbackLabel(t, value) }));
  const frame = String(params.timeframe);
  if (!frames.some(({ value }) => value === frame)) frames.push({ value: frame, label: formatDuration(params.timeframe * 1e6) });
  const ask: MetricsAsk = {
    service,
    spanKind: params.spanKind,
    endMillis: params.end || now,
    lookbackMillis: params.timeframe,
    stepMillis: Math.max(60_000, Math.round(params.timeframe / POINTS / 1000) * 1000),
  };
  return (
    <div className="ly-page">
      <header className="ly-page-head">
        <h1>{t.nav.monitor}</h1>
        <SelectField
          label={t.search.service}
          value={service}
          options={names.includes(service) || !service ? names : [service, ...names]}
          onChange={(value) => setParams({ service: value })}
        />
        {services.isError && <Failed text={t.search.servicesFailed} error={services.error} onRetry={() => void services.refetch()} />}
        <SelectField
          label={t.trace.detail.kind}
          value={params.spanKind}
          options={KINDS.map((value, at) => ({ value, label: t.trace.kinds[[2, 3, 1, 4, 5][at]] }))}
          onChange={(value) => setParams({ spanKind: value as "server" })}
        />
        <SelectField label={t.search.lookback} value={frame} options={frames} onChange={(value) => setParams({ timeframe: Number(value), end: 0 })} />
        <Button
          kind="quiet"
          onClick={() => {
            setNow(Date.now());
            setParams({ end: 0 });
          }}
        >
          {t.monitor.now}
        </Button>
      </header>
      <div className="ly-page-body ly-monitor">
        {services.isPending ? (
          <Loading label={t.common.loading} />
        ) : service === "" ? (
          <Notice title={t.monitor.noServices} />
        ) : (
          <Monitor ask={ask} onRange={(from, to) => setParams({ timeframe: Math.max(60_000, Math.round((to - from) * 1000)), end: Math.round(to * 1000) })} />
        )}
      </div>
    </div>
  );
}

interface MonitorProps {
  readonly ask: MetricsAsk;
  /** Unix seconds. */
  readonly onRange: (from: number, to: number) => void;
}

function Monitor({ ask, onRange }: MonitorProps): ReactNode {
  const { t, percent, compact } = useLocale();
  const [, navigate] = useLocation();
  const answers = useQueries({
    queries: [
      ...QUANTILES.map((quantile) => metricsQuery("latencies", ask, { quantile })),
      metricsQuery("calls", ask, {}),
      metricsQuery("errors", ask, {}),
      metricsQuery("latencies", ask, { quantile: 0.95, byOperation: true }),
      metricsQuery("calls", ask, { byOperation: true }),
      metricsQuery("errors", ask, { byOperation: true }),
    ],
  });
  const [p50, p75, p95, calls, errors, opLatency, opCalls, opErrors] = answers.map(({ data }) => data);
  const charts = useMemo(
    () => ({
      latency: alignSeries([seriesOf(p50), seriesOf(p75), seriesOf(p95)]),
      errors: alignSeries([seriesOf(errors)]),
      calls: alignSeries([seriesOf(calls)]),
    }),
    [p50, p75, p95, errors, calls],
  );
  const lines = useMemo(
    () => operationLines(opLatency ?? new Map(), opCalls ?? new Map(), opErrors ?? new Map()),
    [opLatency, opCalls, opErrors],
  );
  const formats = useMemo(
    () => ({ rate: (value: number) => `${compact(value)}${t.monitor.perSecond}`, share: (value: number) => percent(value) }),
    [compact, percent, t],
  );
  const window = useMemo(() => [(ask.endMillis - ask.lookbackMillis) / 1000, ask.endMillis / 1000] as const, [ask.endMillis, ask.lookbackMillis]);
  const failed = answers.find(({ isError }) => isError);
  if (failed) {
    const off = failed.error instanceof ApiError && failed.error.status === 501;
    return (
      <Notice
        alert={!off}
        title={off ? t.monitor.offTitle : t.monitor.failed}
        {...(off ? {} : { actions: <Button onClick={() => answers.forEach((answer) => void answer.refetch())}>{t.common.retry}</Button> })}
      >
        {off ? <p>{t.monitor.offText}</p> : <ErrorText error={failed.error} />}
      </Notice>
    );
  }
  if (answers.some(({ isPending }) => isPending)) return <Loading label={t.monitor.loading} />;
  if (charts.calls[0].length === 0 && lines.length === 0) {
    return (
      <Notice title={t.monitor.noneTitle}>
        <p>{t.monitor.noneText}</p>
      </Notice>
    );
  }
  const traces = (operation: string): void => {
    const end = ask.endMillis * 1000;
    const params = new URLSearchParams({
      service: ask.service,
      operation,
      lookback: "custom",
      start: String(end - ask.lookbackMillis * 1000),
      end: String(end),
    });
    navigate(`/search?${params.toString()}`);
  };
  return (
    <>
      <div className="ly-charts">
        <Chart title={t.monitor.latency} summary={last(t.monitor.latency, seriesOf(p95), milliseconds)} lines={LATENCY_LINES} data={charts.latency} format={milliseconds} window={window} sync="monitor" onRange={onRange} />
        <Chart title={t.monitor.errorRate} summary={last(t.monitor.errorRate, seriesOf(errors), formats.share)} lines={ERROR_LINES} data={charts.errors} format={formats.share} window={window} sync="monitor" onRange={onRange} />
        <Chart title={t.monitor.requestRate} summary={last(t.monitor.requestRate, seriesOf(calls), formats.rate)} lines={RATE_LINES} data={charts.calls} format={formats.rate} window={window} sync="monitor" onRange={onRange} />
      </div>
      <OperationTable lines={lines} onTraces={traces} />
    </>
  );
}

const LATENCY_LINES = [
  { name: "p50", color: 5 },
  { name: "p75", color: 1 },
  { name: "p95", color: 4 },
] as const;
const ERROR_LINES = [{ name: "%", color: "error" }] as const;
const RATE_LINES = [{ name: "req/s", color: 2 }] as const;

function last(title: string, { values }: Series, format: (value: number) => string): string {
  const value = values.findLast((one) => one !== null);
  return value === undefined || value === null ? title : `${title}: ${format(value)}`;
}
