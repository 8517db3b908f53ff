/** Pieces that the table and the list of results share. */

import type { ReactNode, RefObject } from "react";

import { settings } from "../../app/config.ts";
import { useLocale } from "../../i18n/index.ts";
import { ErrorIcon } from "../../kit/icons.tsx";
import { ServicePill } from "../../kit/service.tsx";
import { displayTraceId } from "../../model/columns.ts";
import { formatDuration } from "../../model/duration.ts";
import { shortNames } from "../../model/shortNames.ts";
import type { Question } from "../../model/question.ts";
import type { ServiceCount, Summary } from "../../model/summary.ts";

export interface ResultRowsProps {
  readonly summaries: readonly Summary[];
  readonly question: Question;
  readonly scroller: RefObject<HTMLDivElement | null>;
  /** Nanoseconds of the longest trace. */
  readonly longest: number;
  readonly picked: readonly string[];
  readonly onPick: (traceId: string) => void;
}

/** Chooses a trace to be compared. */
export function Pick(props: {
  readonly summary: Summary;
  readonly picked: readonly string[];
  readonly onPick: (traceId: string) => void;
}): ReactNode {
  const { t } = useLocale();
  const { service, operation, traceId } = props.summary;
  return (
    <label className="ly-pick">
      <input
        type="checkbox"
        aria-label={t.compare.pickTrace(`${service} ${operation} ${displayTraceId(traceId).slice(0, settings.traceIdDisplayLength)}`)}
        checked={props.picked.includes(traceId)}
        onChange={() => props.onPick(traceId)}
      />
    </label>
  );
}

export function TraceName(props: { readonly summary: Summary }): ReactNode {
  const { t } = useLocale();
  const { service, operation, traceId } = props.summary;
  return (
    <>
      {service || operation ? (
        <>
          <strong className="ly-trace-service">{service || t.common.unknownService}</strong>{" "}
          <span className="ly-trace-operation">{operation || t.common.unnamed}</span>{" "}
        </>
      ) : (
        <span className="ly-trace-operation ly-muted">{t.common.noRoot} </span>
      )}
      <code className="ly-short-id">{displayTraceId(traceId).slice(0, settings.traceIdDisplayLength)}</code>
    </>
  );
}

/** Pills of the first services, the failing ones first, and how many more there are. */
export function Services(props: {
  readonly services: readonly ServiceCount[];
  readonly max: number;
}): ReactNode {
  const { t } = useLocale();
  const ordered = props.services.toSorted((a, b) => b.errors - a.errors || b.spans - a.spans);
  const rest = ordered.slice(props.max);
  const names = shortNames(ordered.map(({ name }) => name));
  return (
    <span className="ly-pills">
      {ordered.slice(0, props.max).map((service) => (
        <ServicePill key={service.name} service={service} short={names.get(service.name)} />
      ))}
      {rest.length > 0 && (
        <span className="ly-pill ly-pill-rest" title={rest.map(({ name }) => name).join(", ")}>
          {t.search.moreServices(rest.length)}
        </span>
      )}
    </span>
  );
}

/** A duration with a bar that compares it to the longest of the results. */
export function DurationBar(props: { readonly nanos: number; readonly longest: number }): ReactNode {
  return (
    <span className="ly-duration">
      <span className="ly-duration-bar" aria-hidden="true">
        <span style={{ width: `${(100 * props.nanos) / (props.longest || 1)}%` }} />
      </span>
      <span className="ly-duration-text">{formatDuration(props.nanos)}</span>
    </span>
  );
}

export function ErrorCount(props: { readonly errors: number }): ReactNode {
  const { t, number } = useLocale();
  if (props.errors === 0) return <span className="ly-faint">0</span>;
  return (
    <span className="ly-error-mark" title={t.counts.errors(props.errors)}>
      <ErrorIcon />
      {number(props.errors)}
    </span>
  );
}

export function Incomplete(props: { readonly orphans: number }): ReactNode {
  const { t } = useLocale();
  if (props.orphans === 0) return null;
  return (
    <span className="ly-tag" title={t.counts.orphans(props.orphans)}>
      {t.search.incomplete}
    </span>
  );
}

export function Started(props: { readonly micros: number; readonly short?: boolean }): ReactNode {
  const { ago, shortTime, dateTime } = useLocale();
  const now = Date.now() * 1000;
  return (
    <time dateTime={new Date(props.micros / 1000).toISOString()} title={dateTime(props.micros)}>
      {shortTime(props.micros, now)}
      {!props.short && <span className="ly-muted"> {ago(props.micros, now)}</span>}
    </time>
  );
}
