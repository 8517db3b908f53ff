/** Find in trace follows Jaeger's rules. */

import { expect, test } from "vitest";

import { AttributeIndex } from "../src/model/attributeIndex.ts";
import { findInColumns, nextMatch, parseFind } from "../src/model/find.ts";
import type { JaegerTrace } from "../src/model/jaeger.ts";
import { makeTrace } from "./make.ts";

test.each([
  ["error  timeout", ["error", "timeout"], []],
  ['"two words" One', ["two words", "one"], []],
  ["-http.url a", ["a"], ["http.url"]],
  ['-"my key" a', ["a"], ["my key"]],
  ["-", [], []],
  ['"open end', ["open", "end"], []],
  ['http.method="GET x"', ["http.method=", "get x"], []],
  ['a"b c"d', ["a", "b c", "d"], []],
  ["   ", [], []],
])("%s is taken apart", (text, include, exclude) => {
  expect(parseFind(text)).toEqual({ include, exclude });
});

const TRACE = makeTrace([
  { service: "Frontend", name: "GET /cart" },
  { service: "cart", name: "load", id: "00000000000000ff" },
  { service: "db", name: "SELECT" },
]);

test.each([
  ["frontend", [1, 0, 0]],
  ["CART", [1, 1, 0]],
  ["ff", [0, 1, 0]],
  ["00ff", [0, 1, 0]],
  ["f", [1, 0, 0]],
  ["select load", [0, 1, 1]],
  ["", [0, 0, 0]],
])("%s is looked for in service, name and span id", (text, flags) => {
  expect([...findInColumns(TRACE, parseFind(text))]).toEqual(flags);
});

const tag = (key: string, value: string | number | boolean) => ({ key, type: "string", value });
const span = (spanID: string, processID: string) => ({
  traceID: "ab",
  spanID,
  operationName: "x",
  references: [],
  startTime: 0,
  duration: 1,
  tags: [],
  logs: [],
  processID,
  warnings: null,
});
const DETAILS: JaegerTrace = {
  traceID: "ab",
  spans: [
    { ...span("1", "p1"), tags: [tag("http.url", "https://shop/pay"), tag("retry", 2)] },
    { ...span("2", "p1"), logs: [{ timestamp: 1, fields: [tag("event", "exception")] }] },
    span("3", "p2"),
  ],
  processes: {
    p1: { serviceName: "a", tags: [] },
    p2: { serviceName: "b", tags: [tag("host.name", "Node-7")] },
  },
  warnings: null,
};

test.each([
  ["pay", ["1"]],
  ["retry=2", ["1"]],
  ["HTTP.URL", ["1"]],
  ["exception", ["2"]],
  ["node-7", ["3"]],
  ["pay -http", []],
  ["pay exception -event", ["1"]],
  ["-http", []],
])("%s is looked for in attributes, events and resource", (text, ids) => {
  expect(AttributeIndex.of(DETAILS).find(parseFind(text))).toEqual(ids);
});

test.each<[number, 1 | -1, number]>([
  [-1, 1, 2], [2, 1, 5], [3, 1, 5], [9, 1, 2], [9, -1, 5], [2, -1, 9], [-1, -1, 9],
])("from row %d by %d the next match is row %d", (row, by, match) => {
  expect(nextMatch(Int32Array.of(2, 5, 9), row, by)).toBe(match);
  expect(nextMatch(new Int32Array(), row, by)).toBe(-1);
});
