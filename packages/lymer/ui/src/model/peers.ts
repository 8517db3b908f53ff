/** One span against those of the same operation: how many are faster, and where it stands. */

import type { WireHeat } from "./heat.ts";

export interface Peers {
  readonly spans: number;
  /** Part that was faster, 0 to 1. */
  readonly faster: number;
  /** Spans by duration, the shortest first; between `low` and `high` nanoseconds. */
  readonly counts: readonly number[];
  /** Place of the span's own bar. */
  readonly own: number;
  readonly low: number;
  readonly high: number;
}

/** Fewer spans say nothing. */
const SPANS_MIN = 10;

/** Return where a span of `nanos` stands in a heatmap's durations; null if too little is known. */
export function peersOf(wire: WireHeat, nanos: number): Peers | null {
  const byRow = new Map<number, number>();
  let spans = 0;
  for (let at = 0; at < wire.row.length; at++) {
    byRow.set(wire.row[at], (byRow.get(wire.row[at]) ?? 0) + wire.spans[at]);
    spans += wire.spans[at];
  }
  if (spans < SPANS_MIN) return null;
  const row = nanos < 2 ? 0 : Math.ceil(Math.log2(nanos) * wire.perOctave - 1e-9);
  const low = Math.min(row, ...byRow.keys());
  const high = Math.max(row, ...byRow.keys());
  const counts = Array.from({ length: high - low + 1 }, (_, at) => byRow.get(low + at) ?? 0);
  let below = 0;
  for (let at = low; at < row; at++) below += byRow.get(at) ?? 0;
  return {
    spans,
    // Of its own bar half are taken for faster: no more is known.
    faster: Math.min(1, (below + (byRow.get(row) ?? 0) / 2) / spans),
    counts,
    own: row - low,
    low: 2 ** ((low - 1) / wire.perOctave),
    high: 2 ** (high / wire.perOctave),
  };
}
