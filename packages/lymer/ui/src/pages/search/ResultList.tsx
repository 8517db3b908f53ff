/** Search results as a list: fewer on a screen, all services in sight. */

import { useMemo, useRef, type ReactNode } from "react";
import { Link } from "wouter";

import { useLocale } from "../../i18n/index.ts";
import { formatDuration } from "../../model/duration.ts";
import {
  ErrorCount,
  Incomplete,
  Services,
  Started,
  TraceName,
  useRows,
  type ResultRowsProps,
} from "./parts.tsx";
import { traceHref } from "./Results.tsx";

const CARD_PX = 88;
const PILLS_MAX = 24;

export function ResultList(props: ResultRowsProps): ReactNode {
  const { t } = useLocale();
  const body = useRef<HTMLUListElement>(null);
  const rows = useRows(props, body, CARD_PX);
  const longest = useMemo(
    () => props.summaries.reduce((most, { durationNano }) => Math.max(most, durationNano), 1),
    [props.summaries],
  );
  return (
    <ul className="ly-list" ref={body} style={{ height: rows.getTotalSize() }}>
      {rows.getVirtualItems().map((row) => {
        const summary = props.summaries[row.index];
        return (
          <li
            key={summary.traceId}
            ref={rows.measureElement}
            data-index={row.index}
            style={{ transform: `translateY(${row.start - rows.options.scrollMargin}px)` }}
          >
            <Link href={traceHref(summary, props.question)} className="ly-card">
              <span
                className="ly-card-bar"
                style={{ width: `${(summary.durationNano / longest) * 100}%` }}
                aria-hidden="true"
              />
              <span className="ly-card-line">
                <span className="ly-card-name">
                  <TraceName summary={summary} />
                  <Incomplete orphans={summary.orphans} />
                </span>
                <span className="ly-duration-text">{formatDuration(summary.durationNano)}</span>
              </span>
              <span className="ly-card-line">
                <span className="ly-card-counts">
                  {t.counts.spans(summary.spans)}
                  {summary.errors > 0 && <ErrorCount errors={summary.errors} />}
                </span>
                <Services services={summary.services} max={PILLS_MAX} />
                <Started micros={summary.startMicros} />
              </span>
            </Link>
          </li>
        );
      })}
    </ul>
  );
}
