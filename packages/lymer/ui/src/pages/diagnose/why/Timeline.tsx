/** When something jumped, on a line of time; the window of the incident lies over it. */

import type { ReactNode } from "react";
import { Link } from "wouter";

import type { Change } from "../../../api/diagnosis.ts";
import { useLocale } from "../../../i18n/index.ts";
import { formatDuration } from "../../../model/duration.ts";

interface TimelineProps {
  /** Microseconds. */
  readonly start: number;
  readonly end: number;
  readonly changes: readonly Change[];
  /** When it went wrong, microseconds; null if nothing did. */
  readonly window: readonly [number, number] | null;
}

const MARKS_MAX = 60;
/** The cause is looked for until so long after a jump, microseconds. */
const AFTER_MICROS = 10 * 60_000_000;
const TICKS = 4;

export function ChangeTimeline({ start, end, changes, window }: TimelineProps): ReactNode {
  const { t, clock, dateTime, percent, compact } = useLocale();
  const place = (micros: number): number => Math.max(0, Math.min(100, ((micros - start) / (end - start)) * 100));
  const show = {
    latency: formatDuration,
    errors: percent,
    rate: (value: number) => `${compact(value)}${t.monitor.perSecond}`,
  };
  const within = changes
    .filter(({ atUnixNano }) => atUnixNano / 1000 >= start && atUnixNano / 1000 <= end)
    .toSorted((a, b) => b.strength - a.strength)
    .slice(0, MARKS_MAX);
  const lanes = ["latency", "errors", "rate"] as const;
  return (
    <section className="ly-changeline" aria-label={t.why.incident.timeline}>
      {lanes.map((what) => (
        <div key={what} className="ly-changeline-lane" data-what={what}>
          <span className="ly-changeline-name">{t.diagnose.changed[what]}</span>
          <div className="ly-changeline-track">
            {window && <span className="ly-changeline-window" style={{ left: `${place(window[0])}%`, width: `${Math.max(0.6, place(window[1]) - place(window[0]))}%` }} />}
            {within
              .filter((one) => one.what === what)
              .map((one) => {
                const at = one.atUnixNano / 1000;
                const label = `${dateTime(at)}: ${one.service} ${one.operation}: ${t.diagnose.changed[what]} ${show[what](one.before)} → ${show[what](one.after)}`;
                return (
                  <Link
                    key={`${one.service} ${one.operation} ${at}`}
                    className="ly-changeline-mark"
                    data-up={one.after > one.before}
                    style={{ left: `${place(at)}%` }}
                    href={`/diagnose?last=30m&end=${Math.round(at + AFTER_MICROS)}`}
                    aria-label={label}
                    title={label}
                  >
                    {one.after > one.before ? "▲" : "▼"}
                  </Link>
                );
              })}
          </div>
        </div>
      ))}
      <div className="ly-changeline-lane" aria-hidden="true">
        <span className="ly-changeline-name" />
        <div className="ly-changeline-ticks">
          {Array.from({ length: TICKS + 1 }, (_, at) => (
            <span key={at}>{clock(start + ((end - start) * at) / TICKS)}</span>
          ))}
        </div>
      </div>
    </section>
  );
}
