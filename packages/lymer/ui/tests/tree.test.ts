/** The span tree: order, depth, subtrees, and what is visible when some are folded. */

import { describe, expect, test } from "vitest";

import { buildTree, parentRow, visiblePosition, visibleRows } from "../src/model/tree.ts";
import { itemPlace, itemRow, timelineItems } from "../src/model/timelineItems.ts";
import { makeTrace } from "./make.ts";

/*
 * 0 ─┬─ 1 ─── 3
 *    └─ 2
 * 4
 */
const FAMILY = makeTrace([{}, { parent: 0 }, { parent: 0 }, { parent: 1, error: true }, {}]);

describe("buildTree", () => {
  test("rows are depth first, siblings by start", () => {
    const tree = buildTree(FAMILY);

    expect([...tree.order]).toEqual([0, 1, 3, 2, 4]);
    expect([...tree.depth]).toEqual([0, 1, 2, 1, 0]);
    expect([...tree.end]).toEqual([4, 3, 3, 4, 5]);
    expect([...tree.children]).toEqual([2, 1, 0, 0, 0]);
    expect([...tree.rowOf]).toEqual([0, 1, 3, 2, 4]);
    expect(tree.maxDepth).toBe(3);
  });

  test("errors inside a subtree are a subtraction", () => {
    const { errorsBefore, end } = buildTree(FAMILY);

    expect(errorsBefore[end[0]] - errorsBefore[0]).toBe(1);
    expect(errorsBefore[end[3]] - errorsBefore[3]).toBe(0);
  });

  test("a parent may come after its child in the columns", () => {
    const tree = buildTree(makeTrace([{ parent: 1 }, {}]));

    expect([...tree.order]).toEqual([1, 0]);
  });

  test("spans in a parent cycle are kept, each once", () => {
    const tree = buildTree(makeTrace([{}, { parent: 2 }, { parent: 1 }, { parent: 3 }]));

    expect([...tree.order].toSorted()).toEqual([0, 1, 2, 3]);
    expect(tree.depth[tree.rowOf[2]]).toBe(1);
  });

  test("the root is the first span without a parent that is not an orphan", () => {
    expect(buildTree(makeTrace([{ orphan: true }, {}])).root).toBe(1);
    expect(buildTree(makeTrace([{ orphan: true }])).root).toBe(0);
  });

  test("a chain of 200,000 spans does not overflow the stack", () => {
    const chain = makeTrace(Array.from({ length: 200_000 }, (_, index) => ({ parent: index - 1 })));
    const tree = buildTree(chain);

    expect(tree.maxDepth).toBe(200_000);
    expect(tree.end[0]).toBe(200_000);
    expect(visibleRows(tree, new Uint8Array(200_000)).length).toBe(200_000);
  });

  test("an empty trace is an empty tree", () => {
    expect(buildTree(makeTrace([])).order.length).toBe(0);
  });
});

describe("rows on screen", () => {
  const tree = buildTree(FAMILY);

  test("a folded subtree is one row", () => {
    expect([...visibleRows(tree, Uint8Array.of(0, 1, 0, 0, 0))]).toEqual([0, 1, 3, 4]);
    expect([...visibleRows(tree, Uint8Array.of(1, 0, 0, 0, 0))]).toEqual([0, 4]);
  });

  test("a hidden row is found at the row that hides it", () => {
    expect(visiblePosition(Int32Array.of(0, 1, 3, 4), 2)).toBe(1);
    expect(visiblePosition(Int32Array.of(0, 1, 3, 4), 4)).toBe(3);
  });

  test("the parent of a row is the nearest shallower row above", () => {
    expect([0, 1, 2, 3, 4].map((row) => parentRow(tree, row))).toEqual([-1, 0, 1, 0, -1]);
  });

  test("open details stand below their row", () => {
    const items = timelineItems(Int32Array.of(0, 1, 3, 4), new Set([1, 2]));

    expect([...items]).toEqual([0, 1, -2, 3, 4]);
    expect([...items].map(itemRow)).toEqual([0, 1, 1, 3, 4]);
    expect([0, 1, 2, 3, 4].map((row) => itemPlace(items, row))).toEqual([0, 1, 2, 3, 4]);
  });
});
