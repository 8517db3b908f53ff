/** The span tree in depth-first order, built without recursion so that depth has no limit. */

import { STATUS_ERROR, type TraceColumns } from "./columns.ts";

/**
 * Depth-first order of a trace. A *row* is a position in this order; `order[row]` is the span.
 *
 * The subtree of the span in row `r` is the rows from `r` to `end[r]`, `end[r]` left out, so every
 * question about a subtree is a subtraction.
 */
export interface SpanTree {
  readonly order: Int32Array;
  /** Row of each span: the inverse of `order`. */
  readonly rowOf: Int32Array;
  /** Depth of each row; roots have 0. */
  readonly depth: Int32Array;
  /** First row after the subtree of each row. */
  readonly end: Int32Array;
  /** Number of direct children of each row. */
  readonly children: Int32Array;
  /** Number of spans with an error in the rows before each row; one longer than the others. */
  readonly errorsBefore: Int32Array;
  /** Levels of the tree; 1 if no span has a child. */
  readonly maxDepth: number;
  /** The span that names the trace: the earliest without a parent. */
  readonly root: number;
}

interface Links {
  readonly firstChild: Int32Array;
  readonly nextSibling: Int32Array;
  readonly roots: number[];
}

/** Link children to parents; siblings keep the order of the columns, which is by start. */
function linkChildren(trace: TraceColumns): Links {
  const { count, parent } = trace;
  const firstChild = new Int32Array(count).fill(-1);
  const nextSibling = new Int32Array(count).fill(-1);
  const roots: number[] = [];
  for (let span = count - 1; span >= 0; span--) {
    const above = parent[span];
    if (above < 0 || above >= count || above === span) {
      roots.push(span);
    } else {
      nextSibling[span] = firstChild[above];
      firstChild[above] = span;
    }
  }
  roots.reverse();
  return { firstChild, nextSibling, roots };
}

/** Build the tree. Spans caught in a parent cycle are kept: the earliest of them becomes a root. */
export function buildTree(trace: TraceColumns): SpanTree {
  const { count } = trace;
  const { firstChild, nextSibling, roots } = linkChildren(trace);
  const order = new Int32Array(count);
  const rowOf = new Int32Array(count).fill(-1);
  const depth = new Int32Array(count);
  const end = new Int32Array(count);
  const children = new Int32Array(count);
  const stack = new Int32Array(count + 1);
  let rows = 0;
  let maxDepth = 0;

  const walk = (root: number): void => {
    let top = 0;
    let span = root;
    for (;;) {
      if (span >= 0 && rowOf[span] < 0) {
        const row = rows++;
        order[row] = span;
        rowOf[span] = row;
        depth[row] = top;
        if (top > 0) children[rowOf[stack[top - 1]]]++;
        stack[top++] = span;
        if (top > maxDepth) maxDepth = top;
        span = firstChild[span];
      } else if (span >= 0) {
        span = top > 0 ? nextSibling[span] : -1; // a span already placed: a cycle closes here
      } else {
        const done = stack[--top];
        end[rowOf[done]] = rows;
        if (top === 0) return;
        span = nextSibling[done];
      }
    }
  };

  for (const root of roots) walk(root);
  for (let span = 0; rows < count && span < count; span++) if (rowOf[span] < 0) walk(span);

  const errorsBefore = new Int32Array(count + 1);
  for (let row = 0; row < count; row++) {
    errorsBefore[row + 1] = errorsBefore[row] + (trace.status[order[row]] === STATUS_ERROR ? 1 : 0);
  }
  const root = roots.find((span) => trace.orphan[span] === 0) ?? roots[0] ?? 0;
  return { order, rowOf, depth, end, children, errorsBefore, maxDepth, root };
}

/** Return the rows that are not inside a collapsed subtree, in order. */
export function visibleRows(tree: SpanTree, collapsed: Uint8Array): Int32Array {
  const rows = new Int32Array(tree.order.length);
  let count = 0;
  for (let row = 0; row < tree.order.length; ) {
    rows[count++] = row;
    row = collapsed[row] ? tree.end[row] : row + 1;
  }
  return rows.subarray(0, count);
}

/** Return the position of `row` in `visible`, or of the nearest visible row before it. */
export function visiblePosition(visible: Int32Array, row: number): number {
  let low = 0;
  let high = visible.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (visible[middle] <= row) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Return the row of the parent of `row`, or -1 for a root. */
export function parentRow(tree: SpanTree, row: number): number {
  const depth = tree.depth[row];
  for (let above = row - 1; above >= 0 && depth > 0; above--) {
    if (tree.depth[above] < depth) return above;
  }
  return -1;
}
