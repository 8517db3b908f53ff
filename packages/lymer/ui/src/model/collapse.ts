/** Which subtrees are folded, as one flag per row, and how that travels in a URL. */

import { parentRow, type SpanTree } from "./tree.ts";

/** Longest value of the `fold` parameter in characters; what is longer is not kept in the URL. */
export const FOLD_PARAM_CHARS_MAX = 4000;

/** Nothing folded. */
export function expandAll(tree: SpanTree): Uint8Array {
  return new Uint8Array(tree.order.length);
}

/** Every span with children folded. */
export function collapseAll(tree: SpanTree): Uint8Array {
  return Uint8Array.from(tree.children, (children) => (children > 0 ? 1 : 0));
}

/** Fold the innermost open spans: those open whose open children have nothing left to fold. */
export function collapseOneLevel(tree: SpanTree, collapsed: Uint8Array): Uint8Array {
  const next = collapsed.slice();
  const openBelow = openParentsBefore(tree, collapsed);
  for (let row = 0; row < next.length; row++) {
    const open = tree.children[row] > 0 && !collapsed[row];
    if (open && openBelow[tree.end[row]] - openBelow[row + 1] === 0) next[row] = 1;
  }
  return next;
}

function openParentsBefore(tree: SpanTree, collapsed: Uint8Array): Int32Array {
  const before = new Int32Array(tree.order.length + 1);
  let hiddenUntil = 0;
  for (let row = 0; row < tree.order.length; row++) {
    const hidden = row < hiddenUntil;
    const open = !hidden && tree.children[row] > 0 && !collapsed[row];
    if (!hidden && collapsed[row]) hiddenUntil = tree.end[row];
    before[row + 1] = before[row] + (open ? 1 : 0);
  }
  return before;
}

/** Unfold the outermost folded spans. */
export function expandOneLevel(tree: SpanTree, collapsed: Uint8Array): Uint8Array {
  const next = collapsed.slice();
  for (let row = 0; row < next.length; ) {
    if (collapsed[row]) {
      next[row] = 0;
      row = tree.end[row];
    } else {
      row++;
    }
  }
  return next;
}

/** Fold or unfold one row. */
export function toggleRow(collapsed: Uint8Array, row: number): Uint8Array {
  const next = collapsed.slice();
  next[row] = next[row] ? 0 : 1;
  return next;
}

/** Unfold what hides `row`. */
export function revealRow(tree: SpanTree, collapsed: Uint8Array, row: number): Uint8Array {
  let next = collapsed;
  for (let above = parentRow(tree, row); above >= 0; above = parentRow(tree, above)) {
    if (!next[above]) continue;
    if (next === collapsed) next = collapsed.slice();
    next[above] = 0;
  }
  return next;
}

/**
 * Write the folded set for the URL.
 *
 * Empty: nothing is folded. `all`: everything. Otherwise the number of spans with children, then
 * the lengths of alternating open and folded runs over them, in base 36. The count guards against
 * a trace that has grown since: then the value is ignored.
 */
export function encodeFold(tree: SpanTree, collapsed: Uint8Array): string {
  const runs: number[] = [];
  let parents = 0;
  let folded = 0;
  let flag = 0;
  let run = 0;
  for (let row = 0; row < collapsed.length; row++) {
    if (tree.children[row] === 0) continue;
    parents++;
    folded += collapsed[row];
    if (collapsed[row] !== flag) {
      runs.push(run);
      flag = collapsed[row];
      run = 0;
    }
    run++;
  }
  if (folded === 0) return "";
  if (folded === parents) return "all";
  if (flag === 1) runs.push(run);
  const text = [parents, ...runs].map((length) => length.toString(36)).join(".");
  return text.length > FOLD_PARAM_CHARS_MAX ? "" : text;
}

/** Read what `encodeFold` wrote; anything else means nothing is folded. */
export function decodeFold(tree: SpanTree, text: string | null): Uint8Array {
  if (!text) return expandAll(tree);
  if (text === "all") return collapseAll(tree);
  const [parents, ...runs] = text.split(".").map((length) => Number.parseInt(length, 36));
  const rows: number[] = [];
  for (let row = 0; row < tree.order.length; row++) if (tree.children[row] > 0) rows.push(row);
  const collapsed = expandAll(tree);
  if (parents !== rows.length) return collapsed;
  let at = 0;
  runs.forEach((length, index) => {
    const until = Math.min(rows.length, at + (length >= 0 ? length : 0));
    for (; at < until; at++) if (index % 2 === 1) collapsed[rows[at]] = 1;
  });
  return collapsed;
}
