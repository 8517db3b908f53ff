/** Spans by start and duration: cells, their scales and colours, and what a brush holds. */

/** The answer of `/api/search/heatmap`: one entry for each cell that has spans. */
export interface WireHeat {
  readonly startUnixNano: string;
  readonly stepNano: number;
  readonly perOctave: number;
  readonly column: readonly number[];
  readonly row: readonly number[];
  readonly spans: readonly number[];
  readonly errors: readonly number[];
  readonly complete: boolean;
  readonly reason: string;
}

export interface Heat {
  /** Microseconds at which the first column begins. */
  readonly start: number;
  readonly stepMicros: number;
  readonly columns: number;
  /** Number of the lowest row; row `r` holds durations up to 2^(r / perOctave) nanoseconds. */
  readonly low: number;
  readonly rows: number;
  readonly perOctave: number;
  readonly cells: readonly HeatCell[];
  /** Spans of the fullest cell. */
  readonly most: number;
  readonly spans: number;
  readonly errors: number;
}

export interface HeatCell {
  /** From the left, 0 first. */
  readonly column: number;
  /** From the lowest row, 0 first. */
  readonly row: number;
  readonly spans: number;
  readonly errors: number;
}

/** A part of the map: times in microseconds, durations in nanoseconds; the ends belong to it. */
export interface Box {
  readonly from: number;
  readonly to: number;
  readonly shortest: number;
  readonly longest: number;
}

/** Rows around what is there, so that the longest spans do not stand at the edge. */
const ROWS_MIN = 12;

/** Return the map of an answer about `from` to `to`, microseconds. */
export function readHeat(wire: WireHeat, from: number, to: number): Heat {
  const stepMicros = wire.stepNano / 1000;
  const start = Number(BigInt(wire.startUnixNano) / 1000n);
  let [low, high] = [Infinity, -Infinity];
  for (const row of wire.row) {
    low = Math.min(low, row);
    high = Math.max(high, row);
  }
  if (low > high) [low, high] = [0, ROWS_MIN];
  const missing = Math.max(0, ROWS_MIN - (high - low + 1));
  low = Math.max(0, low - Math.floor(missing / 2));
  const rows = Math.max(high - low + 1, ROWS_MIN);
  let [most, spans, errors] = [0, 0, 0];
  const cells = wire.column.map((column, at) => {
    most = Math.max(most, wire.spans[at]);
    spans += wire.spans[at];
    errors += wire.errors[at];
    return { column, row: wire.row[at] - low, spans: wire.spans[at], errors: wire.errors[at] };
  });
  return {
    start,
    stepMicros,
    columns: Math.max(1, Math.ceil((to - start) / stepMicros), ...(from > to ? [1] : [])),
    low,
    rows,
    perOctave: wire.perOctave,
    cells,
    most,
    spans,
    errors,
  };
}

/** Return the shortest and longest duration of a row, nanoseconds; the lowest holds all below. */
export function rowDurations(heat: Heat, row: number): readonly [number, number] {
  const bound = (number: number): number => Math.floor(2 ** (number / heat.perOctave));
  const number = heat.low + row;
  return [number <= 0 ? 0 : bound(number - 1) + 1, bound(Math.max(0, number))];
}

/** Return how strongly a cell is drawn, 0 to 1: few spans among very many are still seen. */
export function strength(heat: Heat, spans: number): number {
  if (spans <= 0) return 0;
  return heat.most <= 1 ? 1 : 0.18 + 0.82 * (Math.log(spans) / Math.log(heat.most) || 0);
}

/** A rectangle of cells, both corners included. */
export interface Cells {
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
  readonly top: number;
}

/** Return the cells between two corners in either order, within the map. */
export function cellsBetween(heat: Heat, a: readonly [number, number], b: readonly [number, number]): Cells {
  const clamp = (value: number, count: number): number => Math.max(0, Math.min(count - 1, Math.floor(value)));
  return {
    left: clamp(Math.min(a[0], b[0]), heat.columns),
    right: clamp(Math.max(a[0], b[0]), heat.columns),
    bottom: clamp(Math.min(a[1], b[1]), heat.rows),
    top: clamp(Math.max(a[1], b[1]), heat.rows),
  };
}

/** Return what cells hold. Microseconds and nanoseconds are whole. */
export function boxOf(heat: Heat, cells: Cells): Box {
  return {
    from: Math.floor(heat.start + cells.left * heat.stepMicros),
    to: Math.ceil(heat.start + (cells.right + 1) * heat.stepMicros),
    shortest: rowDurations(heat, cells.bottom)[0],
    longest: rowDurations(heat, cells.top)[1],
  };
}

/** Return the cells that a box covers; null if it lies outside. */
export function cellsOf(heat: Heat, box: Box): Cells | null {
  const row = (nanos: number): number => (nanos < 1 ? 0 : Math.ceil(Math.log2(nanos) * heat.perOctave - 1e-9) - heat.low);
  const left = Math.floor((box.from - heat.start) / heat.stepMicros + 1e-6);
  const right = Math.ceil((box.to - heat.start) / heat.stepMicros - 1e-6) - 1;
  if (right < 0 || left >= heat.columns) return null;
  return cellsBetween(heat, [left, row(box.shortest)], [right, row(box.longest)]);
}

/** Count the spans in cells. */
export function countOf(heat: Heat, { left, right, bottom, top }: Cells): { readonly spans: number; readonly errors: number } {
  let [spans, errors] = [0, 0];
  for (const cell of heat.cells) {
    if (cell.column < left || cell.column > right || cell.row < bottom || cell.row > top) continue;
    spans += cell.spans;
    errors += cell.errors;
  }
  return { spans, errors };
}

/** Read `from-to,shortest-longest` out of an address; null if it is no box. */
export function readBox(text: string): Box | null {
  const match = /^(\d{1,16})-(\d{1,16}),(\d{1,16})-(\d{1,16})$/.exec(text);
  if (!match) return null;
  const [from, to, shortest, longest] = match.slice(1).map(Number);
  return from < to && shortest <= longest ? { from, to, shortest, longest } : null;
}

export function writeBox(box: Box | null): string {
  return box ? `${box.from}-${box.to},${box.shortest}-${box.longest}` : "";
}

/** Below this part of its columns a map shows only what has spans. */
const OCCUPIED_PART = 0.4;

/** Return the part of time that has spans, if it is a small part of all: microseconds; else null. */
export function occupied(heat: Heat): readonly [number, number] | null {
  let [first, last] = [Infinity, -1];
  for (const { column } of heat.cells) {
    first = Math.min(first, column);
    last = Math.max(last, column);
  }
  if (last < 0 || last - first + 1 >= heat.columns * OCCUPIED_PART) return null;
  return [Math.floor(heat.start + first * heat.stepMicros), Math.ceil(heat.start + (last + 1) * heat.stepMicros)];
}

/** Return the box of the slowest `part` of the spans, 0 to 1: all times, the highest rows. */
export function slowest(heat: Heat, part: number): Box {
  const byRow = new Float64Array(heat.rows);
  for (const { row, spans } of heat.cells) byRow[row] += spans;
  let top = heat.rows - 1;
  while (top > 0 && byRow[top] === 0) top -= 1;
  let row = top;
  let sum = byRow[row];
  while (row > 0 && sum < heat.spans * part) {
    row -= 1;
    sum += byRow[row];
  }
  // Whole rows only: rather fewer than so many that the slow ones are lost among them.
  if (row < top && sum > heat.spans * part * 2) row += 1;
  return boxOf(heat, { left: 0, right: heat.columns - 1, bottom: row, top });
}
