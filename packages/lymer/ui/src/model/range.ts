/** The part of a trace that is on screen: zooming, panning, and its place in the URL. */

import type { TraceColumns } from "./columns.ts";
import { formatTick, tickStep } from "./duration.ts";

/** From and to, nanoseconds since the start of the trace. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Narrowest range one can zoom to, nanoseconds. */
export const RANGE_NANOS_MIN = 100;

/** Keep a range inside the trace and not too narrow. */
export function clampRange(range: Range, duration: number): Range {
  const width = Math.min(duration, Math.max(RANGE_NANOS_MIN, range.to - range.from));
  const from = Math.min(Math.max(0, range.from), duration - width);
  return { from, to: from + width };
}

/** Zoom by `factor` (below 1: closer) around `anchor`, a fraction of the range. */
export function zoomRange(range: Range, factor: number, anchor: number, duration: number): Range {
  const width = range.to - range.from;
  const fixed = range.from + width * anchor;
  const next = Math.min(duration, Math.max(RANGE_NANOS_MIN, width * factor));
  return clampRange({ from: fixed - next * anchor, to: fixed + next * (1 - anchor) }, duration);
}

/** Move by `fraction` of the range's width. */
export function panRange(range: Range, fraction: number, duration: number): Range {
  const step = (range.to - range.from) * fraction;
  return clampRange({ from: range.from + step, to: range.to + step }, duration);
}

/** Whether the range shows the whole trace. */
export function isWhole(range: Range, duration: number): boolean {
  return range.from <= 0 && range.to >= duration;
}

/** Part of a span's duration to leave free on both sides when zooming to it. */
const SPAN_MARGIN = 0.15;

/** Return the range that shows one span. */
export function spanRange(trace: TraceColumns, span: number): Range {
  const margin = trace.duration[span] * SPAN_MARGIN;
  const from = trace.start[span] - margin;
  return clampRange({ from, to: from + trace.duration[span] + 2 * margin }, trace.durationNano);
}

/** Write a range for the URL; empty if it is the whole trace. */
export function encodeRange(range: Range, duration: number): string {
  return isWhole(range, duration) ? "" : `${Math.round(range.from)}-${Math.round(range.to)}`;
}

/** Read a range from the URL; unreadable means the whole trace. */
export function decodeRange(text: string | null, duration: number): Range {
  const match = /^(\d+)-(\d+)$/.exec(text ?? "");
  if (!match || Number(match[1]) >= Number(match[2])) return { from: 0, to: duration };
  return clampRange({ from: Number(match[1]), to: Number(match[2]) }, duration);
}

/** Room of one label on a time scale, CSS pixels. */
const TICK_PX = 120;

/** A round instant on a time scale, nanoseconds, and how it is written there. */
export interface Tick {
  readonly nanos: number;
  readonly label: string;
}

/** Return the round instants within a range to mark on `width` CSS pixels; no label occurs twice. */
export function rangeTicks(range: Range, width: number): Tick[] {
  const step = tickStep(range.to - range.from, Math.max(2, width / TICK_PX));
  const ticks: Tick[] = [];
  for (let nanos = Math.ceil(range.from / step) * step; nanos <= range.to; nanos += step) {
    ticks.push({ nanos, label: formatTick(nanos, step) });
  }
  return ticks;
}
