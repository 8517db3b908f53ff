/** Folding: levels, all, revealing, and the URL. */

import { expect, test } from "vitest";

import {
  collapseAll,
  collapseOneLevel,
  decodeFold,
  encodeFold,
  expandAll,
  expandOneLevel,
  revealRow,
  toggleRow,
} from "../src/model/collapse.ts";
import { buildTree } from "../src/model/tree.ts";
import { makeTrace } from "./make.ts";

/* Rows: 0 ─┬─ 1 ─── 2
 *          └─ 3 ─── 4 ─── 5   and 6 alone */
const TREE = buildTree(
  makeTrace([{}, { parent: 0 }, { parent: 1 }, { parent: 0 }, { parent: 3 }, { parent: 4 }, {}]),
);
const flags = (...rows: number[]): number[] => [0, 1, 2, 3, 4, 5, 6].map((row) => (rows.includes(row) ? 1 : 0));

test("all folds every span with children", () => {
  expect([...collapseAll(TREE)]).toEqual(flags(0, 1, 3, 4));
});

test("one level folds the innermost open spans first", () => {
  const once = collapseOneLevel(TREE, expandAll(TREE));
  const twice = collapseOneLevel(TREE, once);
  const thrice = collapseOneLevel(TREE, twice);

  expect([...once]).toEqual(flags(1, 4));
  expect([...twice]).toEqual(flags(1, 3, 4));
  expect([...thrice]).toEqual(flags(0, 1, 3, 4));
  expect([...collapseOneLevel(TREE, thrice)]).toEqual([...thrice]);
});

test("one level unfolds the outermost folded spans first", () => {
  const once = expandOneLevel(TREE, collapseAll(TREE));

  expect([...once]).toEqual(flags(1, 3, 4));
  expect([...expandOneLevel(TREE, once)]).toEqual(flags(4));
});

test("revealing a row unfolds what is above it and nothing else", () => {
  expect([...revealRow(TREE, collapseAll(TREE), 5)]).toEqual(flags(1));
  const open = expandAll(TREE);
  expect(revealRow(TREE, open, 5)).toBe(open);
});

test("toggling leaves the old set alone", () => {
  const before = expandAll(TREE);

  expect([...toggleRow(before, 1)]).toEqual(flags(1));
  expect([...before]).toEqual(flags());
});

test.each([[[]], [[0]], [[1, 4]], [[3]], [[0, 1, 3, 4]], [[4]]])("rows %j survive the URL", (rows) => {
  const folded = Uint8Array.from(flags(...rows));

  expect([...decodeFold(TREE, encodeFold(TREE, folded))]).toEqual([...folded]);
});

test("nothing folded needs no parameter, and all is a word", () => {
  expect(encodeFold(TREE, expandAll(TREE))).toBe("");
  expect(encodeFold(TREE, collapseAll(TREE))).toBe("all");
});

test("a set made for another number of spans, or rubbish, is ignored", () => {
  expect([...decodeFold(TREE, "9.1.1")]).toEqual(flags());
  expect([...decodeFold(TREE, "4.x.-3")]).toEqual(flags());
  expect([...decodeFold(TREE, null)]).toEqual(flags());
});
