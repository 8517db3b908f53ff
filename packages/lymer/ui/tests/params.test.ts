/** Whatever an address says, it is read, and what is written reads back. */

import { describe, expect, test } from "vitest";

import { flag, oneOf, patchParams, queryText, readParams, text, texts, whole, sorting } from "../src/model/params.ts";
import { decodeFold } from "../src/model/collapse.ts";
import { lookbackMicros, questionRange, readQuestion, summariesParams, writeQuestion } from "../src/model/question.ts";
import { decodeRange, encodeRange } from "../src/model/range.ts";
import { readUiSettings, safeUrl, UI_DEFAULTS } from "../src/model/uiConfig.ts";
import { buildTree } from "../src/model/tree.ts";
import { makeTrace } from "./make.ts";

const SCHEMA = { a: text(), many: texts(), mode: oneOf(["x", "y"]), n: whole(5, 1, 10), on: flag() };

describe("typed parameters", () => {
  test.each([
    ["", { a: "", many: [], mode: "x", n: 5, on: false }],
    ["a=1&many=2&many=3&mode=y&n=7&on=1", { a: "1", many: ["2", "3"], mode: "y", n: 7, on: true }],
    ["mode=z&n=11&on=yes", { a: "", many: [], mode: "x", n: 5, on: false }],
    ["n=1e1", { a: "", many: [], mode: "x", n: 5, on: false }],
    ["n=-3&mode=&many=", { a: "", many: [], mode: "x", n: 5, on: false }],
  ])("%s", (query, values) => {
    expect(readParams(SCHEMA, new URLSearchParams(query))).toEqual(values);
  });

  test("a patch changes what it names and leaves the rest, defaults are not written", () => {
    const now = new URLSearchParams("other=1&a=2&n=7&mode=y");

    expect(queryText(patchParams(SCHEMA, now, { n: 5, mode: "x", many: ["p", "q"] }))).toBe("other=1&a=2&many=p&many=q");
  });
});

/** Numbers, texts and nonsense of every kind that people and programs put into links. */
const NONSENSE = [
  "", "0", "-1", "1e999", "NaN", "Infinity", "9999999999999999999", "99999999999w", "5m5m", "0h", "soon", "{", "[]",
  '{"a":{"b":1}}', '"text"', "null", "%00", "\u0000", "💥", "a".repeat(5000), "1700000000000000", "-0", "0x10", " 5 ",
];

describe("a search link", () => {
  const NAMES = ["service", "operation", "tags", "tag", "lookback", "start", "end", "minDuration", "maxDuration", "limit", "traceID", "span"];

  test("can hold anything and still asks something that the server can read", () => {
    let seed = 1;
    const next = (below: number): number => {
      seed = (seed * 48271) % 2147483647;
      return seed % below;
    };
    for (let round = 0; round < 4000; round++) {
      const params = new URLSearchParams();
      for (const name of NAMES) if (next(3) > 0) params.append(name, NONSENSE[next(NONSENSE.length)]);
      const question = readQuestion(params);
      const [start, end] = questionRange(question, 1.8e15);
      expect(new Date(start / 1000).toISOString()).toMatch(/Z$/);
      expect(new Date(end / 1000).toISOString()).toMatch(/Z$/);
      expect(summariesParams(question, 1.8e15)["query.startTimeMin"]).toMatch(/Z$/);
      expect(readQuestion(writeQuestion(question))).toEqual({ ...question, spans: {} });
    }
  });

  test("with a lookback nobody means counts as without", () => {
    expect(readQuestion(new URLSearchParams("lookback=99999999999w")).lookback).toBe("1h");
    expect(lookbackMicros("99999999999w")).toBe(3600e6);
    expect(readQuestion(new URLSearchParams("start=9999999999999999999")).startMicros).toBeNull();
  });

  test("with an end before its start has no range of its own", () => {
    expect(readQuestion(new URLSearchParams("start=9&end=5"))).toMatchObject({ startMicros: null, endMicros: null, lookback: "1h" });
  });
});

test("zoom and folds of a link can be anything", () => {
  const tree = buildTree(makeTrace([{}, { parent: 0 }]));
  for (const nonsense of NONSENSE) {
    const range = decodeRange(nonsense, 1000);
    expect(range.from).toBeGreaterThanOrEqual(0);
    expect(range.to).toBeLessThanOrEqual(1000);
    expect(decodeRange(encodeRange(range, 1000), 1000)).toEqual(range);
    expect(decodeFold(tree, nonsense)).toHaveLength(2);
  }
});

describe("a site's configuration", () => {
  test("may be absent, or of any type", () => {
    for (const given of [undefined, null, 5, "text", [], {}]) expect(readUiSettings(given)).toEqual(UI_DEFAULTS);
  });

  test("Jaeger's own example is understood", () => {
    const settings = readUiSettings({
      dependencies: { dagMaxNumServices: 200, menuEnabled: false },
      menu: [
        { label: "About", items: [{ label: "Docs", url: "https://docs.example" }, { label: "broken" }] },
        { label: "Wiki", url: "https://wiki.example", anchorTarget: "_self" },
        7,
      ],
      search: { maxLookback: { label: "2 Days", value: "2d" }, maxLimit: "many", defaultLookback: "6h" },
      linkPatterns: [{ type: "tags", key: "id", url: "https://logs.example/#{id}", text: "logs" }],
      tracking: { gaID: "UA-1" },
    });

    expect(settings.dependencies).toEqual({ dagMaxNumServices: 200, menuEnabled: false });
    expect(settings.search).toMatchObject({ maxLookback: { value: "2d" }, maxLimit: 1500, defaultLookback: "6h" });
    expect(settings.menu).toEqual([
      { label: "About", items: [{ label: "Docs", url: "https://docs.example" }] },
      { label: "Wiki", url: "https://wiki.example", anchorTarget: "_self" },
    ]);
    expect(settings.linkPatterns).toHaveLength(1);
  });

  test.each([
    ["https://x.example/a", true],
    ["/search", true],
    ["javascript:alert(1)", false],
    [" JavaScript:alert(1)", false],
    ["data:text/html,x", false],
  ])("%s may be followed: %s", (url, safe) => {
    expect(safeUrl(url)).toBe(safe);
  });
});

test("how a table is sorted", () => {
  const codec = sorting(["self", "name"]);
  for (const value of ["self", "-name", "name"]) expect(codec.write(codec.read([value]))).toEqual([value]);
  for (const value of [undefined, "", "-self", "other", "-", "--self"]) {
    expect(codec.read(value === undefined ? [] : [value])).toEqual({ column: "self", descending: true });
  }
  expect(codec.write({ column: "self", descending: true })).toEqual([]);
});
