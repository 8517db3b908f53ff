/** What is on screen: range, keys, colours, plot, sorting, languages. */

import { readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import { en } from "../src/i18n/en.ts";
import { ko } from "../src/i18n/ko.ts";
import { actionFor } from "../src/model/keymap.ts";
import { CANVAS_COLORS, paletteIndexes } from "../src/model/palette.ts";
import { nearestPoint, plotPoints, plotScales } from "../src/model/plot.ts";
import { clampRange, decodeRange, encodeRange, panRange, rangeTicks, zoomRange } from "../src/model/range.ts";
import { readSummary, SORTS, sortSummaries, summarize, type Sort } from "../src/model/summary.ts";
import { makeTrace } from "./make.ts";

describe("range", () => {
  test("zooming keeps what is under the pointer in place", () => {
    expect(zoomRange({ from: 0, to: 1000 }, 0.5, 0.2, 1000)).toEqual({ from: 100, to: 600 });
  });

  test("neither zooming nor panning leaves the trace", () => {
    expect(zoomRange({ from: 0, to: 1000 }, 9, 0.5, 1000)).toEqual({ from: 0, to: 1000 });
    expect(panRange({ from: 700, to: 900 }, 5, 1000)).toEqual({ from: 800, to: 1000 });
    expect(clampRange({ from: 500, to: 500 }, 1000)).toEqual({ from: 500, to: 600 });
  });

  test("the URL holds a range only if it is a part", () => {
    expect(encodeRange({ from: 0, to: 1000 }, 1000)).toBe("");
    expect(decodeRange(encodeRange({ from: 200, to: 700 }, 1000), 1000)).toEqual({ from: 200, to: 700 });
    expect(decodeRange("7-3", 1000)).toEqual({ from: 0, to: 1000 });
    expect(decodeRange("x", 1000)).toEqual({ from: 0, to: 1000 });
  });

  test("ticks are round and inside", () => {
    expect(rangeTicks({ from: 90, to: 510 }, 480)).toEqual([
      { nanos: 200, label: "200ns" },
      { nanos: 400, label: "400ns" },
    ]);
  });
});

describe("keys", () => {
  const press = (key: string, rest = {}) => ({
    key, code: "", ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...rest,
  });

  test.each([
    [press("s"), "scrollDown"],
    [press("A", { shiftKey: true }), "panLeftFast"],
    [press("ArrowLeft", { shiftKey: true }), "panLeftFast"],
    [press("ArrowUp"), "zoomIn"],
    [press("]"), "collapseAll"],
    [press("["), "expandAll"],
    [press("b", { ctrlKey: true }), "find"],
    [press("b"), "previousSpan"],
    [press("?", { shiftKey: true }), "help"],
    [press("s", { metaKey: true }), null],
    [press("s", { ctrlKey: true }), null],
    [press("ㄹ", { code: "KeyF" }), "nextSpan"],
    [press("ㄴ", { code: "KeyS" }), "scrollDown"],
    [press("Process", { code: "KeyA", shiftKey: true }), "panLeftFast"],
    [press("ㅠ", { code: "KeyB", ctrlKey: true }), "find"],
    [press("х", { code: "BracketLeft" }), "expandAll"],
    [press("s", { code: "KeyO" }), "scrollDown"],
    [press("x"), null],
  ])("%j is %s", (event, action) => {
    expect(actionFor(event)).toBe(action);
  });
});

describe("colours", () => {
  test("services of one trace differ as long as there are colours", () => {
    const names = Array.from({ length: 12 }, (_, index) => `service-${index}`);

    expect(new Set(paletteIndexes(names)).size).toBe(12);
  });

  test("the style sheet has the same palette as the canvas", () => {
    const css = readFileSync(new URL("../src/styles/tokens.css", import.meta.url), "utf8");
    for (const [scheme, prefix] of [["light", "^"], ["dark", '^\\[data-scheme="dark"\\] ']] as const) {
      const found = [...css.matchAll(new RegExp(`${prefix}\\[data-color="\\d+"\\] \\{ --ly-service: (#\\w+)`, "gm"))];
      expect(found.map(([, color]) => color)).toEqual(CANVAS_COLORS[scheme].services);
    }
  });
});

const summary = (traceId: string, startMicros: number, durationNano: number, spans: number, errors: number) => ({
  traceId, startMicros, durationNano, spans, errors, service: traceId, operation: "x", orphans: 0, services: [],
});
const A = summary("a", 1, 30, 2, 1);
const B = summary("b", 2, 10, 3, 0);
const C = summary("c", 3, 20, 1, 2);

describe("results", () => {
  test.each<[Sort, string]>([
    ["MOST_RECENT", "cba"], ["OLDEST_FIRST", "abc"], ["LONGEST_FIRST", "acb"], ["SHORTEST_FIRST", "bca"],
    ["MOST_SPANS", "bac"], ["LEAST_SPANS", "cab"], ["MOST_ERRORS", "cab"], ["LEAST_ERRORS", "bac"],
    ["NAME_A_Z", "abc"], ["NAME_Z_A", "cba"],
  ])("%s sorts as %s", (sort, ids) => {
    expect(sortSummaries([B, A, C], sort).map(({ traceId }) => traceId).join("")).toBe(ids);
    expect(SORTS).toContain(sort);
  });

  test("fields the API leaves out are zero or empty", () => {
    expect(readSummary({ traceId: "ab" })).toEqual({
      traceId: "ab", service: "", operation: "", startMicros: 0, durationNano: 0, spans: 0, errors: 0,
      orphans: 0, services: [],
    });
    const wire = { traceId: "ab", minStartTimeUnixNano: "1700000000000000999", maxEndTimeUnixNano: "1700000000000002000" };
    expect(readSummary(wire)).toMatchObject({ startMicros: 1700000000000000, durationNano: 1001 });
  });

  test("a whole trace is summed up like the API does", () => {
    const trace = makeTrace([{ service: "a" }, { service: "b", parent: 0, error: true }, { service: "b", orphan: true }]);

    expect(summarize(trace)).toMatchObject({
      service: "a", spans: 3, errors: 1, orphans: 1, durationNano: 12,
      services: [{ name: "a", spans: 1, errors: 0 }, { name: "b", spans: 2, errors: 1 }],
    });
  });

  test("a point of the plot is found near it and not elsewhere", () => {
    const box = { left: 0, top: 0, width: 100, height: 100 };
    const points = plotPoints([A, B, C], plotScales([A, B, C], box, true));

    expect(nearestPoint(points, points[1].x + 4, points[1].y, 9)?.summary).toBe(B);
    expect(nearestPoint(points, points[1].x + 40, points[1].y - 5, 3)).toBe(null);
    expect(points.every(({ x, y }) => x >= 0 && x <= 100 && y >= 0 && y <= 100)).toBe(true);
  });
});

describe("languages", () => {
  const keys = (value: object, path = ""): string[] =>
    Object.entries(value).flatMap(([key, inner]) =>
      typeof inner === "object" ? keys(inner as object, `${path}${key}.`) : [`${path}${key}`],
    );

  test("Korean says everything English says", () => {
    expect(keys(ko)).toEqual(keys(en));
  });

  test("English counts one and many", () => {
    expect(en.counts.spans(1)).toBe("1 span");
    expect(en.counts.spans(1200)).toBe("1,200 spans");
    expect(ko.counts.spans(1200)).toBe("스팬 1,200개");
  });
});
