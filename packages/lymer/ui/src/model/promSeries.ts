/** Series of the search language as columns for a chart: the most important ones. */

import { alignSeries, meanOf, type Series } from "./metrics.ts";

/** A series as `/api/search/series` sends it. */
export interface WireSeries {
  readonly promLabels: string;
  readonly samples: readonly { readonly timestampMs: string | number; readonly value?: number | string }[];
}

export interface Drawn {
  readonly name: string;
  readonly mean: number;
  readonly last: number;
}

/** As many lines as can be told apart. */
export const LINES_MAX = 12;

/** Return the name that labels give a series: without the braces, quotes and what says nothing. */
export function seriesName(labels: string): string {
  const pairs = [...labels.matchAll(/([\w.:@-]+|"(?:[^"\\]|\\.)*")="((?:[^"\\]|\\.)*)"/g)].map(([, key, value]) => [
    key.replaceAll('"', "").replace(/^resource\.|^span\./, ""),
    value.replace(/\\(.)/g, "$1"),
  ]);
  const telling = pairs.filter(([key]) => key !== "__name__");
  if (telling.length === 0) return pairs[0]?.[1] ?? labels;
  return telling.length === 1 ? telling[0][1] || telling[0][0] : telling.map(([key, value]) => `${key}=${value}`).join(" ");
}

function read({ samples }: WireSeries): Series {
  return {
    times: samples.map(({ timestampMs }) => Number(timestampMs) / 1000),
    values: samples.map(({ value }) => {
      const number = Number(value ?? 0);
      return Number.isFinite(number) ? number : null;
    }),
  };
}

/** Return the largest series by their means, and their values on one axis of time, seconds. */
export function drawnSeries(all: readonly WireSeries[]): { readonly lines: readonly Drawn[]; readonly data: readonly (readonly (number | null)[])[] } {
  const found = all
    .map((one) => ({ name: seriesName(one.promLabels), series: read(one) }))
    .map((one) => ({ ...one, mean: meanOf(one.series) ?? 0 }))
    .toSorted((a, b) => b.mean - a.mean)
    .slice(0, LINES_MAX);
  return {
    lines: found.map(({ name, mean, series }) => ({ name, mean, last: series.values.findLast((value) => value !== null) ?? 0 })),
    data: alignSeries(found.map(({ series }) => series)),
  };
}
