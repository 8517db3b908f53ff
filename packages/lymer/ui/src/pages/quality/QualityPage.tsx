/** `/quality-metrics`: how good the traces of a service are, with examples of what is not. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, type ReactNode } from "react";
import { Link } from "wouter";

import "../../styles/quality.css";

import { ApiError } from "../../api/client.ts";
import { qualityQuery, servicesQuery } from "../../api/queries.ts";
import { settings } from "../../app/config.ts";
import { useParams } from "../../app/url.ts";
import { useLocale, type Dictionary } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { SelectField } from "../../kit/fields.tsx";
import { ErrorText, Failed, Loading, Notice } from "../../kit/states.tsx";
import { text, whole } from "../../model/params.ts";
import type { Shape } from "../../model/wire.ts";
import { lookbackLabel } from "../search/lookback.ts";

/** Hours, under the name and with the default that Jaeger has. */
const QUALITY_PARAMS = { service: text(), lookback: whole(48, 1, 24 * 28) };
const HOURS = [1, 6, 24, 48, 168] as const;

function hoursText(hours: number): string {
  return hours >= 48 && hours % 24 === 0 ? `${hours / 24}d` : `${hours}h`;
}

export default function QualityPage(): ReactNode {
  const { t } = useLocale();
  const [params, setParams] = useParams(QUALITY_PARAMS);
  const services = useQuery(servicesQuery());
  const names = services.data ?? [];
  const service = params.service || (names[0] ?? "");
  const query = useQuery(qualityQuery(service, params.lookback));
  const title = settings.qualityMetrics.menuLabel || t.nav.quality;
  useEffect(() => {
    document.title = `${title} · ${t.common.appName}`;
  }, [title, t]);
  const hours = HOURS.some((one) => one === params.lookback) ? HOURS : [...HOURS, params.lookback];
  const body = (): ReactNode => {
    if (query.isError) {
      const absent = query.error instanceof ApiError && (query.error.status === 404 || query.error.status === 501);
      return (
        <Notice
          alert={!absent}
          title={absent ? t.common.notYetTitle : t.quality.failed}
          actions={<Button onClick={() => void query.refetch()}>{t.common.retry}</Button>}
        >
          {absent ? <p>{t.quality.absent}</p> : <ErrorText error={query.error} />}
        </Notice>
      );
    }
    if (services.data?.length === 0) return <Notice title={t.monitor.noServices} />;
    if (query.isPending) return <Loading label={t.quality.loading} />;
    return <QualityView quality={query.data} />;
  };
  return (
    <div className="ly-page">
      <header className="ly-page-head">
        <h1>{title}</h1>
        <SelectField
          label={t.search.service}
          value={service}
          options={names.includes(service) || !service ? names : [service, ...names]}
          onChange={(value) => setParams({ service: value })}
        />
        {services.isError && <Failed text={t.search.servicesFailed} error={services.error} onRetry={() => void services.refetch()} />}
        <SelectField
          label={t.search.lookback}
          value={String(params.lookback)}
          options={hours.map((one) => ({ value: String(one), label: lookbackLabel(t, hoursText(one)) }))}
          onChange={(value) => setParams({ lookback: Number(value) })}
        />
      </header>
      <div className="ly-page-body ly-quality">{body()}</div>
    </div>
  );
}

function QualityView({ quality }: { readonly quality: Shape<"Quality"> }): ReactNode {
  const { t, number } = useLocale();
  const sample = /^Judged by the newest (\d+) traces\.$/.exec(quality.bannerText ?? "");
  const banner = sample ? t.quality.sample(Number(sample[1])) : quality.bannerText;
  return (
    <>
      {banner && <p className="ly-banner">{banner}</p>}
      <ul className="ly-scores" aria-label={t.quality.scores}>
        {quality.scores.map(({ key, label, value, max }) => (
          <li key={key}>
            <span className="ly-score-value">
              {number(Math.round(value * 10) / 10)}
              <span className="ly-muted"> / {number(max)}</span>
            </span>
            <meter min={0} max={max} value={value} aria-label={textOf(t, label)[0]} />
            <span>{textOf(t, label)[0]}</span>
          </li>
        ))}
      </ul>
      <div className="ly-metrics">
        {quality.metrics.map((metric) => (
          <Metric key={metric.name} metric={metric} />
        ))}
      </div>
    </>
  );
}

/** Name and description of what is judged; what this interface does not know is shown as the server says it. */
function textOf(t: Dictionary, name: string, description = ""): readonly string[] {
  const texts: Readonly<Record<string, readonly string[]>> = t.quality.texts;
  return texts[name] ?? [name, description];
}

function Metric({ metric }: { readonly metric: Shape<"Quality">["metrics"][number] }): ReactNode {
  const { t, number, percent } = useLocale();
  const judged = metric.passCount + metric.failureCount;
  const share = judged > 0 ? metric.passCount / judged : 1;
  const [name, description] = textOf(t, metric.name, metric.description);
  return (
    <article className="ly-metric">
      <h2>{name}</h2>
      <p className="ly-muted">{description}</p>
      <meter min={0} max={1} low={0.5} high={0.9} optimum={1} value={share} aria-label={name} />
      <dl className="ly-fact-list">
        <div>
          <dt>{t.quality.passed}</dt>
          <dd>
            <Examples label={judged > 0 ? `${number(metric.passCount)} · ${percent(share)}` : "–"} examples={metric.passExamples} />
          </dd>
        </div>
        <div>
          <dt>{t.quality.failedCount}</dt>
          <dd>
            <Examples label={number(metric.failureCount)} examples={metric.failureExamples} />
          </dd>
        </div>
        {metric.exemptionCount > 0 && (
          <div>
            <dt>{t.quality.exempt}</dt>
            <dd>
              <Examples label={number(metric.exemptionCount)} examples={metric.exemptionExamples} />
            </dd>
          </div>
        )}
      </dl>
    </article>
  );
}

/** A number that leads to the traces behind it. */
function Examples(props: { readonly label: string; readonly examples: readonly Shape<"QualityExample">[] }): ReactNode {
  const { t } = useLocale();
  if (props.examples.length === 0) return props.label;
  const params = new URLSearchParams();
  for (const { traceID, spanIDs } of props.examples) {
    params.append("traceID", traceID);
    if (spanIDs.length > 0) params.append("span", `${spanIDs.join(" ")}@${traceID}`);
  }
  return (
    <>
      {props.label} <Link href={`/search?${params.toString()}`}>{t.quality.examples(props.examples.length)}</Link>
    </>
  );
}
