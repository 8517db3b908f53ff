/** Search results as a list: fewer on a screen, all services in sight; also what a phone shows. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { useLayoutEffect, useRef, useState, type ReactNode } from "react";
import { Link } from "wouter";

import { useEmbed } from "../../app/embed.ts";
import { useLocale } from "../../i18n/index.ts";
import { formatDuration } from "../../model/duration.ts";
import { traceHref } from "./hrefs.ts";
import { ErrorCount, Incomplete, Pick, Services, Started, TraceName, type ResultRowsProps } from "./parts.tsx";

const CARD_PX = 92;
const PILLS_MAX = 24;
const PILLS_MAX_NARROW = 4;

export function ResultList(props: ResultRowsProps & { readonly narrow: boolean }): ReactNode {
  const { t } = useLocale();
  const { keep, embedded } = useEmbed();
  const body = useRef<HTMLUListElement>(null);
  const [scrollMargin, setScrollMargin] = useState(0);
  useLayoutEffect(() => {
    setScrollMargin(body.current?.offsetTop ?? 0);
  }, [props.summaries]);
  const rows = useVirtualizer({
    count: props.summaries.length,
    getScrollElement: () => props.scroller.current,
    estimateSize: () => CARD_PX,
    overscan: 12,
    scrollMargin,
  });
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
            <div className="ly-card" data-chosen={props.picked.includes(summary.traceId)}>
              <span className="ly-card-bar" style={{ width: `${(summary.durationNano / props.longest) * 100}%` }} aria-hidden="true" />
              <span className="ly-card-line">
                {!embedded && <Pick summary={summary} picked={props.picked} onPick={props.onPick} />}
                <Link href={keep(traceHref(summary, props.question))} className="ly-card-name" title={`${summary.service}: ${summary.operation}`}>
                  <TraceName summary={summary} />
                </Link>
                <Incomplete orphans={summary.orphans} />
                <span className="ly-top-space" />
                <span className="ly-duration-text">{formatDuration(summary.durationNano)}</span>
              </span>
              <span className="ly-card-line">
                <span className="ly-card-counts">
                  {t.counts.spans(summary.spans)}
                  {summary.errors > 0 && <ErrorCount errors={summary.errors} />}
                </span>
                {!props.narrow && <Services services={summary.services} max={PILLS_MAX} />}
                <Started micros={summary.startMicros} />
              </span>
              {props.narrow && <Services services={summary.services} max={PILLS_MAX_NARROW} />}
            </div>
          </li>
        );
      })}
    </ul>
  );
}
