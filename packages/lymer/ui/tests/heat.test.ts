/** The heatmap: rows and columns, what a brush holds, how it stands in an address. */

import { describe, expect, it } from "vitest";

import {
  boxOf,
  cellsBetween,
  cellsOf,
  countOf,
  occupied,
  readBox,
  readHeat,
  rowDurations,
  slowest,
  strength,
  writeBox,
  type WireHeat,
} from "../src/model/heat.ts";
import { withCondition, withDurations } from "../src/model/narrow.ts";

const START = 1_700_000_000_000_000;

/** Spans of given columns and rows, one each, the last of them failed. */
function wire(cells: readonly (readonly [number, number, number])[]): WireHeat {
  return {
    startUnixNano: `${START}000`,
    stepNano: 1_000_000_000,
    perOctave: 4,
    column: cells.map(([column]) => column),
    row: cells.map(([, row]) => row),
    spans: cells.map(([, , spans]) => spans),
    errors: cells.map((_, at) => (at === cells.length - 1 ? 1 : 0)),
    complete: true,
    reason: "",
  };
}

const HEAT = readHeat(wire([[0, 80, 100], [10, 81, 50], [59, 100, 7]]), START, START + 60e6);

describe("a heatmap", () => {
  it("has a column for each step and a row for each duration that is there", () => {
    expect(HEAT).toMatchObject({ columns: 60, low: 80, rows: 21, most: 100, spans: 157, errors: 1 });
    expect(rowDurations(HEAT, 0)[1]).toBe(2 ** 20);
    for (let row = 1; row < HEAT.rows; row++) {
      expect(rowDurations(HEAT, row)[0]).toBe(rowDurations(HEAT, row - 1)[1] + 1);
    }
  });

  it("is there without spans, too", () => {
    const empty = readHeat(wire([]), START, START + 60e6);
    expect(empty).toMatchObject({ spans: 0, most: 0 });
    expect(occupied(empty)).toBeNull();
    expect(() => slowest(empty, 0.05)).not.toThrow();
  });

  it("shows one span among a million, and never more than all of a colour", () => {
    const heat = readHeat(wire([[0, 80, 1_000_000], [1, 80, 1]]), START, START + 60e6);
    expect(strength(heat, 1)).toBeGreaterThan(0.1);
    expect(strength(heat, 1_000_000)).toBeCloseTo(1);
  });
});

describe("a brush", () => {
  it("holds the cells it covers, whichever corner came first, and stands in the address", () => {
    for (let round = 0; round < 500; round++) {
      const [a, b] = [[(round * 7) % 60, (round * 13) % 21], [(round * 31) % 60, (round * 5) % 21]] as const;
      const cells = cellsBetween(HEAT, [a[0] + 0.3, a[1] + 0.7], [b[0] + 0.9, b[1] + 0.1]);
      const box = boxOf(HEAT, cells);
      expect(readBox(writeBox(box))).toEqual(box);
      expect(cellsOf(HEAT, box)).toEqual(cells);
    }
  });

  it("counts what lies in it", () => {
    const all = cellsBetween(HEAT, [-5, -5], [999, 999]);
    expect(countOf(HEAT, all)).toEqual({ spans: 157, errors: 1 });
    expect(countOf(HEAT, { ...all, right: 9 })).toEqual({ spans: 100, errors: 0 });
  });

  it("is none where the address holds nonsense", () => {
    for (const text of ["", "1-2", "2-1,0-5", "1-2,9-5", "a-b,c-d", "1-2,3-4,5", "-1-2,3-4"]) expect(readBox(text)).toBeNull();
    expect(cellsOf(HEAT, { from: 1, to: 2, shortest: 0, longest: 5 })).toBeNull();
  });

  it("of the slowest begins at whole rows and holds about their part", () => {
    const many = readHeat(wire([[0, 80, 900], [1, 90, 60], [2, 91, 30], [3, 95, 10]]), START, START + 60e6);
    const cells = cellsOf(many, slowest(many, 0.05));
    expect(cells && countOf(many, cells).spans).toBe(100);
  });
});

it("what happened within a small part of the range is shown by itself", () => {
  const heat = readHeat(wire([[50, 80, 1], [55, 80, 1]]), START, START + 60e6);
  expect(occupied(heat)).toEqual([START + 50e6, START + 56e6]);
  expect(occupied(HEAT)).toBeNull();
});

describe("a question made narrower", () => {
  it("asks for a number and for the text that looks like it", () => {
    const fact = { scope: "span", key: "cache.hit", value: "false" };
    expect(withCondition("{ }", fact, false)).toBe('{ (span.cache.hit = false || span.cache.hit = "false") }');
    expect(withCondition('{ .a = "x" }', fact, true)).toBe('{ .a = "x" && !(span.cache.hit = false || span.cache.hit = "false") }');
  });

  it("asks for durations", () => {
    expect(withDurations("{ name = \"a\" }", 5, 9)).toBe('{ name = "a" && duration >= 5ns && duration <= 9ns }');
  });
});
