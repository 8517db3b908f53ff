/** Where the points of the duration plot stand. */

import type { Summary } from "./summary.ts";

export interface PlotPoint {
  readonly summary: Summary;
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

export interface PlotBox {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The scale of one axis: from data to pixels. */
export type Scale = (value: number) => number;

export interface PlotScales {
  readonly x: Scale;
  readonly y: Scale;
  readonly from: number;
  readonly to: number;
  readonly low: number;
  readonly high: number;
}

/** From this ratio of longest to shortest on, a linear scale hides most traces. */
const LOG_FROM_RATIO = 40;

/** Whether durations spread so far that powers of ten show them better. */
export function spreadsWide(summaries: readonly Summary[]): boolean {
  let [low, high] = [Infinity, 1];
  for (const { durationNano } of summaries) {
    low = Math.min(low, Math.max(1, durationNano));
    high = Math.max(high, durationNano);
  }
  return high / low > LOG_FROM_RATIO;
}

/** Scales that hold all summaries; `log` spreads durations over powers of ten. */
export function plotScales(summaries: readonly Summary[], box: PlotBox, log: boolean): PlotScales {
  let [from, to, low, high] = [Infinity, -Infinity, Infinity, 1];
  for (const { startMicros, durationNano } of summaries) {
    from = Math.min(from, startMicros);
    to = Math.max(to, startMicros);
    low = Math.min(low, Math.max(1, durationNano));
    high = Math.max(high, durationNano);
  }
  if (to - from < 1) [from, to] = [from - 500_000, to + 500_000];
  low = log ? 10 ** Math.floor(Math.log10(low)) : 0;
  high = log ? Math.max(high * 1.4, low * 10) : high * 1.08;
  const share = (value: number): number => {
    if (!log) return value / high;
    return Math.log(Math.max(value, low) / low) / Math.log(high / low);
  };
  return {
    from,
    to,
    low,
    high,
    x: (micros) => box.left + ((micros - from) / (to - from)) * box.width,
    y: (nanos) => box.top + box.height * (1 - share(nanos)),
  };
}

/** Place every summary; the area of a point grows with the logarithm of its spans. */
export function plotPoints(summaries: readonly Summary[], scales: PlotScales): PlotPoint[] {
  return summaries.map((summary) => ({
    summary,
    x: scales.x(summary.startMicros),
    y: scales.y(summary.durationNano),
    radius: 2.5 + 1.6 * Math.log10(Math.max(1, summary.spans)),
  }));
}

/** Return the point nearest to a place, if one is within `reach` pixels of its edge. */
export function nearestPoint(
  points: readonly PlotPoint[],
  x: number,
  y: number,
  reach: number,
): PlotPoint | null {
  let best: PlotPoint | null = null;
  let distance = reach;
  for (const point of points) {
    const away = Math.hypot(point.x - x, point.y - y) - point.radius;
    if (away < distance) [best, distance] = [point, away];
  }
  return best;
}

/** Return the values to mark on the duration axis. */
export function durationTicks(scales: PlotScales, log: boolean, step: number): number[] {
  const ticks: number[] = [];
  if (log) for (let value = scales.low; value <= scales.high; value *= 10) ticks.push(value);
  else for (let value = 0; value <= scales.high; value += step) ticks.push(value);
  return ticks;
}
