import { describe, expect, it } from "vitest";

import { decodeRuns, encodeRuns, findRuns, foldRuns, openRuns } from "../src/model/runs.ts";
import { buildTree, visibleRows } from "../src/model/tree.ts";
import { makeTrace } from "./make.ts";

/** A root that calls `SELECT` twelve times, each with one span below, then nine others, then `SELECT` once. */
const trace = makeTrace([
  { duration: 1000 },
  ...Array.from({ length: 12 }, (_, at) => [
    { parent: 0, start: at * 10, duration: 5, name: "SELECT" },
    { parent: 1 + at * 2, start: at * 10, duration: 1, name: "fetch" },
  ]).flat(),
  ...Array.from({ length: 9 }, (_, at) => ({ parent: 0, start: 200 + at, duration: 1, name: "PUT" })),
  { parent: 0, start: 300, duration: 1, name: "SELECT" },
]);
const tree = buildTree(trace);
const runs = findRuns(trace, tree);
const folded = new Uint8Array(runs.count);
const visible = visibleRows(tree, new Uint8Array(tree.order.length));

describe("repeated calls", () => {
  it("are siblings that follow one another, ten at least", () => {
    expect({ first: [...runs.first], end: [...runs.end], calls: [...runs.calls] }).toEqual({ first: [1], end: [25], calls: [12] });
  });

  it("stand as one row until they are opened", () => {
    expect([...foldRuns(visible, runs, folded)]).toEqual([0, 1, ...Array.from({ length: 10 }, (_, at) => 25 + at)]);
    expect(foldRuns(visible, runs, Uint8Array.of(1)).length).toBe(trace.count);
  });

  it("are opened by what is shown inside", () => {
    expect([...openRuns(runs, folded, 8)]).toEqual([1]);
    for (const outside of [0, 1, 25]) expect(openRuns(runs, folded, outside)).toBe(folded);
  });

  it("are kept in the address, if it is of the same trace", () => {
    for (const opened of [Uint8Array.of(0, 0, 0), Uint8Array.of(1, 1, 1), Uint8Array.of(0, 1, 0)]) {
      expect([...decodeRuns({ ...runs, count: 3 }, encodeRuns(opened))]).toEqual([...opened]);
    }
    expect([...decodeRuns(runs, "3.1")]).toEqual([0]);
    for (const wrong of ["x", "1.-1", "1.zz", "..", "1."]) expect([...decodeRuns(runs, wrong)]).toEqual([0]);
  });
});
