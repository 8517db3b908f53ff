/** Statistics of the spans of a trace by service, operation or any attribute. */

import type { TraceColumns } from "./columns.ts";

/** One group of spans; times in nanoseconds. */
export interface StatGroup {
  /** Null: the spans without the attribute. */
  readonly name: string | null;
  readonly count: number;
  readonly errors: number;
  readonly total: number;
  readonly min: number;
  readonly max: number;
  readonly selfTotal: number;
  readonly selfMin: number;
  readonly selfMax: number;
  readonly criticalTotal: number;
  readonly spans: readonly number[];
}

export const STAT_COLUMNS = [
  "name", "count", "errors", "total", "avg", "min", "max", "selfTotal", "selfAvg", "selfMin", "selfMax",
  "selfShare", "criticalShare",
] as const;

export type StatColumn = (typeof STAT_COLUMNS)[number];

/** What groups are made of, besides the columns of the trace. */
export interface StatTimes {
  readonly self: Float64Array;
  readonly critical: Float64Array;
}

/** Group `spans` by what `nameOf` says of each. */
export function statGroups(
  trace: TraceColumns,
  times: StatTimes,
  spans: Iterable<number>,
  nameOf: (span: number) => string | null,
): StatGroup[] {
  const members = new Map<string | null, number[]>();
  for (const span of spans) {
    const name = nameOf(span);
    const known = members.get(name);
    if (known) known.push(span);
    else members.set(name, [span]);
  }
  return [...members].map(([name, group]) => {
    let [total, selfTotal, criticalTotal, errors] = [0, 0, 0, 0];
    let [min, max, selfMin, selfMax] = [Infinity, 0, Infinity, 0];
    for (const span of group) {
      const duration = trace.duration[span];
      const self = times.self[span];
      total += duration;
      selfTotal += self;
      criticalTotal += times.critical[span];
      errors += trace.status[span] === 2 ? 1 : 0;
      min = Math.min(min, duration);
      max = Math.max(max, duration);
      selfMin = Math.min(selfMin, self);
      selfMax = Math.max(selfMax, self);
    }
    return { name, count: group.length, errors, total, min, max, selfTotal, selfMin, selfMax, criticalTotal, spans: group };
  });
}

/** Return the value of a column; shares are of `traceNanos`, 0 to 1. */
export function statValue(group: StatGroup, column: Exclude<StatColumn, "name">, traceNanos: number): number {
  switch (column) {
    case "avg":
      return group.total / group.count;
    case "selfAvg":
      return group.selfTotal / group.count;
    case "selfShare":
      return group.selfTotal / traceNanos;
    case "criticalShare":
      return group.criticalTotal / traceNanos;
    default:
      return group[column];
  }
}

/** Return a sorted copy; spans without the attribute stay last. */
export function sortStats(
  groups: readonly StatGroup[],
  column: StatColumn,
  descending: boolean,
  traceNanos: number,
): StatGroup[] {
  const sign = descending ? -1 : 1;
  return groups.toSorted((a, b) => {
    if ((a.name === null) !== (b.name === null)) return a.name === null ? 1 : -1;
    if (column === "name") return sign * (a.name ?? "").localeCompare(b.name ?? "");
    return sign * (statValue(a, column, traceNanos) - statValue(b, column, traceNanos));
  });
}
