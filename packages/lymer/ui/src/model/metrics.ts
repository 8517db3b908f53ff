/** Series of rates and latencies, out of the metric families of Jaeger's `/api/metrics`. */

import type { Shape } from "./wire.ts";

export interface Series {
  /** Unix seconds. */
  readonly times: readonly number[];
  /** Null where there is no value. */
  readonly values: readonly (number | null)[];
}

const NO_SERIES: Series = { times: [], values: [] };

/** Return one series for each value of `label`; an empty label gives one under the empty name. Not a number is the text `NaN`. */
export function readFamily(family: Shape<"MetricFamily">, label: string): Map<string, Series> {
  const found = new Map<string, Series>();
  for (const { labels, metricPoints } of family.metrics) {
    const name = label === "" ? "" : (labels.find((one) => one.name === label)?.value ?? "");
    found.set(name, {
      times: metricPoints.map(({ timestamp }) => Date.parse(timestamp) / 1000),
      values: metricPoints.map(({ gaugeValue }) => {
        const value = Number(gaugeValue.doubleValue);
        return Number.isFinite(value) ? value : null;
      }),
    });
  }
  return found;
}

export function seriesOf(found: ReadonlyMap<string, Series> | undefined, name = ""): Series {
  return found?.get(name) ?? NO_SERIES;
}

/** Put series on one axis of time, for a chart: first the times, then one column each. */
export function alignSeries(all: readonly Series[]): (number | null)[][] {
  const times = [...new Set(all.flatMap(({ times: own }) => own))].toSorted((a, b) => a - b);
  const columns = all.map(({ times: own, values }) => {
    const byTime = new Map(own.map((time, at) => [time, values[at]]));
    return times.map((time) => byTime.get(time) ?? null);
  });
  return [times, ...columns];
}

/** Return the mean of the values that are there, or null. */
export function meanOf({ values }: Series): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** One operation of a service over the window. */
export interface OperationLine {
  readonly name: string;
  /** Milliseconds. */
  readonly p95: number | null;
  /** Calls a second. */
  readonly rate: number | null;
  /** 0 to 1. */
  readonly errors: number | null;
  /** Share of the service's time: latency × rate, the largest is 1. */
  readonly impact: number;
  readonly latency: Series;
}

/** Put the three families of a service together, by operation. */
export function operationLines(
  latencies: ReadonlyMap<string, Series>,
  calls: ReadonlyMap<string, Series>,
  errors: ReadonlyMap<string, Series>,
): OperationLine[] {
  const names = new Set([...latencies.keys(), ...calls.keys()]);
  const lines = [...names].map((name) => ({
    name,
    p95: meanOf(seriesOf(latencies, name)),
    rate: meanOf(seriesOf(calls, name)),
    errors: meanOf(seriesOf(errors, name)),
    latency: seriesOf(latencies, name),
  }));
  const work = lines.map(({ p95, rate }) => (p95 ?? 0) * (rate ?? 0));
  const most = Math.max(...work, Number.MIN_VALUE);
  return lines.map((line, at) => ({ ...line, impact: work[at] / most }));
}
