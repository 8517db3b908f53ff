/** Repeated calls: siblings in a row of one service and name, which stand as one line until opened. */

import type { TraceColumns } from "./columns.ts";
import type { SpanTree } from "./tree.ts";

/** Fewer calls than this are not folded. */
export const RUN_CALLS_MIN = 10;
/** Longest value of the `runs` parameter in characters; what is longer is not kept in the URL. */
const RUNS_PARAM_CHARS_MAX = 4000;

export interface Runs {
  readonly count: number;
  /** First row of each run, and the first row after it. */
  readonly first: Int32Array;
  readonly end: Int32Array;
  readonly calls: Int32Array;
  /** The run that begins at a row, -1 if none does. */
  readonly at: Int32Array;
}

/** Find the runs of a trace, in the order of their first rows. */
export function findRuns(trace: TraceColumns, tree: SpanTree): Runs {
  const rows = tree.order.length;
  const at = new Int32Array(rows).fill(-1);
  const seen = new Uint8Array(rows);
  const first: number[] = [];
  const end: number[] = [];
  const calls: number[] = [];
  for (let row = 0; row < rows; row++) {
    if (seen[row]) continue;
    const span = tree.order[row];
    let next = tree.end[row];
    let alike = 1;
    while (next < rows && tree.depth[next] === tree.depth[row] && isAlike(trace, span, tree.order[next])) {
      seen[next] = 1;
      next = tree.end[next];
      alike++;
    }
    if (alike < RUN_CALLS_MIN) continue;
    at[row] = first.length;
    first.push(row);
    end.push(next);
    calls.push(alike);
  }
  return { count: first.length, first: Int32Array.from(first), end: Int32Array.from(end), calls: Int32Array.from(calls), at };
}

function isAlike(trace: TraceColumns, one: number, other: number): boolean {
  return trace.service[one] === trace.service[other] && trace.name[one] === trace.name[other];
}

/** Keep of each folded run its first row; `opened` has one flag per run. */
export function foldRuns(visible: Int32Array, runs: Runs, opened: Uint8Array): Int32Array {
  if (runs.count === 0) return visible;
  let until = 0;
  return visible.filter((row) => {
    if (row < until) return false;
    const run = runs.at[row];
    if (run >= 0 && !opened[run]) until = runs.end[run];
    return true;
  });
}

/** Open the runs that hide `row`. */
export function openRuns(runs: Runs, opened: Uint8Array, row: number): Uint8Array {
  let next = opened;
  for (let run = 0; run < runs.count && runs.first[run] < row; run++) {
    if (row >= runs.end[run] || next[run]) continue;
    if (next === opened) next = opened.slice();
    next[run] = 1;
  }
  return next;
}

/** Write which runs are open: nothing, `all`, or their number and the places of the open ones, in base 36. */
export function encodeRuns(opened: Uint8Array): string {
  const places: number[] = [];
  opened.forEach((is, run) => {
    if (is) places.push(run);
  });
  if (places.length === 0) return "";
  if (places.length === opened.length) return "all";
  const text = [opened.length, ...places].map((one) => one.toString(36)).join(".");
  return text.length > RUNS_PARAM_CHARS_MAX ? "" : text;
}

/** Read what `encodeRuns` wrote; anything else, and what is of another number of runs, opens none. */
export function decodeRuns(runs: Runs, text: string): Uint8Array {
  const opened = new Uint8Array(runs.count);
  if (text === "all") return opened.fill(1);
  const [count, ...places] = text.split(".").map((one) => Number.parseInt(one, 36));
  if (count !== runs.count) return opened;
  for (const place of places) if (place >= 0 && place < count) opened[place] = 1;
  return opened;
}
