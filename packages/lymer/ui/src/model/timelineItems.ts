/** The lines of the timeline: visible rows, and the details that stand open below some of them. */

/** Lines in order. A row stands as itself, the details of row `r` as `-1 - r`. */
export type TimelineItems = Int32Array;

/** Put the details of the `open` rows below their rows. */
export function timelineItems(visible: Int32Array, open: ReadonlySet<number>): TimelineItems {
  if (open.size === 0) return visible;
  const items = new Int32Array(visible.length + open.size);
  let count = 0;
  for (const row of visible) {
    items[count++] = row;
    if (open.has(row)) items[count++] = -1 - row;
  }
  return items.subarray(0, count);
}

/** Return the row a line belongs to. */
export function itemRow(item: number): number {
  return item < 0 ? -1 - item : item;
}

/** Return the place of `row` among the lines, or of the nearest line before it. */
export function itemPlace(items: TimelineItems, row: number): number {
  let low = 0;
  let high = items.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    const item = items[middle];
    if (item < 0 ? itemRow(item) < row : item <= row) low = middle;
    else high = middle - 1;
  }
  return low;
}
