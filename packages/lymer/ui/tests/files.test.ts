/** Files, worker and templates: what comes from outside is taken apart without trust. */

import { describe, expect, test } from "vitest";

import { AttributeIndex } from "../src/model/attributeIndex.ts";
import { columnsOf } from "../src/model/fromJaeger.ts";
import type { JaegerSpan, JaegerTrace } from "../src/model/jaeger.ts";
import { attributeLinks, fillTemplate, traceLinks } from "../src/model/linkPatterns.ts";
import { alignSeries, operationLines, readFamily } from "../src/model/metrics.ts";
import { decodeServices, encodeServices, onlyServices } from "../src/model/serviceFilter.ts";
import { SpanSplitter } from "../src/model/spanSplitter.ts";
import { buildTree } from "../src/model/tree.ts";
import { readTraceFile, TraceFileError } from "../src/model/upload.ts";
import type { Shape } from "../src/model/wire.ts";
import { isZeroLength } from "../src/model/zeroLength.ts";
import { makeTrace } from "./make.ts";

const span = (id: string, more: Partial<JaegerSpan> = {}): JaegerSpan => ({
  traceID: "ab", spanID: id, operationName: `op ${id}`, references: [], startTime: 1000, duration: 50, tags: [], logs: [],
  processID: "p1", warnings: null, ...more,
});
const child = (id: string, parent: string, more: Partial<JaegerSpan> = {}): JaegerSpan =>
  span(id, { references: [{ refType: "CHILD_OF", traceID: "ab", spanID: parent }], ...more });
const tag = (key: string, value: string | number | boolean) => ({ key, type: "string", value });
const TRACE: JaegerTrace = {
  traceID: "ab",
  spans: [
    child("2", "1", { startTime: 1010, tags: [tag("error", true), tag("brace", '}{][",\\"')], processID: "p2" }),
    span("1", { logs: [{ timestamp: 1005, fields: [tag("event", "start"), tag("n", 1)] }] }),
    child("3", "gone", { startTime: 1020 }),
  ],
  processes: { p1: { serviceName: "shop", tags: [tag("host", "h1")] }, p2: { serviceName: "db", tags: [] } },
  warnings: null,
};

describe("columns of a file", () => {
  test("hold order, parents, orphans, services and errors", () => {
    const columns = columnsOf(TRACE);

    expect(columns).toMatchObject({ count: 3, errorCount: 1, orphanCount: 1, displayTraceId: "00000000000000ab" });
    expect([0, 1, 2].map((span) => columns.spanId.at(span))).toEqual(["1", "2", "3"]);
    expect([...columns.parent]).toEqual([-1, 0, -1]);
    expect([...columns.start]).toEqual([0, 10_000, 20_000]);
    expect(buildTree(columns).maxDepth).toBe(2);
  });
});

describe("a trace file", () => {
  const jaeger = JSON.stringify({ data: [TRACE] });
  const otlp = JSON.stringify({ resourceSpans: [{ a: 1 }] });

  test.each([
    ["Jaeger's envelope", jaeger, 1, 0],
    ["a bare list", JSON.stringify([TRACE, TRACE]), 2, 0],
    ["one bare trace", JSON.stringify(TRACE), 1, 0],
    ["OTLP", otlp, 0, 1],
    ["OTLP, one a line, with an empty line", `${otlp}\n\n${otlp}\n`, 0, 2],
    ["both, one a line", `${jaeger}\r\n${otlp}`, 1, 1],
    ["a byte order mark", `\uFEFF${otlp}`, 0, 1],
  ])("of %s is read", (_, text, traces, otlpSpans) => {
    const file = readTraceFile(text);

    expect([file.traces.length, file.resourceSpans.length]).toEqual([traces, otlpSpans]);
  });

  test.each([
    ["{}", "0"],
    ["[1]", "0"],
    ['"text"', "0"],
    ["", "1"],
    ["not json", "1"],
    [`${otlp}\n{"a":`, "2"],
  ])("%j is refused, and where", (text, line) => {
    expect(() => readTraceFile(text)).toThrow(new TraceFileError(line));
  });

  test("may leave out what a page can do without", () => {
    const bare = readTraceFile(JSON.stringify({ traceID: "1", spans: [{ spanID: "x" }] })).traces[0];

    expect(columnsOf(bare).count).toBe(1);
    expect(AttributeIndex.of(bare).keys()).toEqual([]);
  });
});

test("a stream is split into the same spans wherever it is cut", () => {
  const text = JSON.stringify({ data: [TRACE], total: 0, errors: null });
  for (let size = 1; size < text.length; size += size < 40 ? 1 : 97) {
    const spans: JaegerSpan[] = [];
    const splitter = new SpanSplitter((one) => spans.push(one));
    for (let at = 0; at < text.length; at += size) splitter.push(text.slice(at, at + size));
    expect(spans).toEqual(TRACE.spans);
    expect(splitter.finish()).toEqual(TRACE.processes);
  }
});

test("the index knows keys, values and events", () => {
  const index = AttributeIndex.of(TRACE);

  expect(index.keys()).toEqual([
    { key: "host", spans: 2 },
    { key: "brace", spans: 1 },
    { key: "error", spans: 1 },
  ]);
  expect([...index.values("host")]).toEqual([["1", "h1"], ["3", "h1"]]);
  expect(index.events).toMatchObject([{ spanId: "1", service: "shop", name: "start", micros: 1005 }]);
});

describe("the filter of services", () => {
  const services = ["web", "shop", "db"];

  test("is written as Jaeger does, and read back", () => {
    // FNV-like sum of "db\0shop\0web" and the bits of shop and web.
    const text = encodeServices(services, new Set(["shop", "web"]));

    expect(text).toMatch(/^[0-9a-f]{4}\.6$/);
    expect(decodeServices(services, text)).toEqual(new Set(["shop", "web"]));
    expect(encodeServices(services, new Set(services))).toBe("");
    expect(encodeServices(services, new Set())).toBe("");
  });

  test.each(["", "x", "0000.1", "zzzz.1", ".6", "ffff.", "1234.ffffffffffffffffffff"])("%j shows all", (text) => {
    expect(decodeServices(services, text)).toBeNull();
  });

  test("hangs what is left on the next ancestor that is shown", () => {
    const trace = makeTrace([{ service: "a" }, { service: "b", parent: 0 }, { service: "a", parent: 1 }, { service: "b", error: true }]);
    const shown = onlyServices(trace, new Set(["a"]));

    expect(shown).toMatchObject({ count: 2, errorCount: 0 });
    expect([...shown.parent]).toEqual([-1, 0]);
    expect(onlyServices(trace, null)).toBe(trace);
  });
});

describe("link patterns", () => {
  const values = (name: string) => ({ id: "a b", "trace.traceID": "ff", "trace.startTime": 1700000000000000, n: 5 })[name];

  test.each([
    ["https://x/?q=#{id}", true, "https://x/?q=a%20b"],
    ["#{id} of #{trace.traceID}", false, "a b of ff"],
    ["#{trace.startTime | epoch_micros_to_date_iso}", false, "2023-11-14T22:13:20.000Z"],
    ["#{n | add 1000 | pad_start 6 0}", false, "001005"],
    ["#{missing}", false, null],
    ["#{n | unheard_of}", false, null],
  ])("%s", (template, encode, filled) => {
    expect(fillTemplate(template, values, encode)).toBe(filled);
  });

  test("apply to the kind and key they name, under both names of a kind", () => {
    const patterns = [
      { type: "tags", key: "id", url: "https://logs/#{id}", text: "logs of #{id}" },
      { type: "events", key: ["id", "other"], url: "https://e/#{id}" },
      { type: "traces", url: "https://t/#{trace.traceID}", text: "t" },
    ];

    expect(attributeLinks(patterns, "attributes", "id", "7", values)).toEqual([{ url: "https://logs/7", text: "logs of 7" }]);
    expect(attributeLinks(patterns, "events", "id", "7", values)).toEqual([{ url: "https://e/7", text: "https://e/7" }]);
    expect(attributeLinks(patterns, "resource", "id", "7", values)).toEqual([]);
    expect(traceLinks(patterns, values)).toEqual([{ url: "https://t/ff", text: "t" }]);
  });
});

test("metrics are read by operation, not a number is no value", () => {
  const point = (doubleValue: number | string, second: number) => ({ gaugeValue: { doubleValue }, timestamp: new Date(second * 1000).toISOString() });
  const family = (name: string, ...points: ReturnType<typeof point>[]) => ({ name: "", type: "", help: "", metrics: [{ labels: [{ name: "operation", value: name }], metricPoints: points }] }) as Shape<"MetricFamily">;
  const latencies = readFamily(family("GET /", point(10, 1), point("NaN", 2), point(30, 3)), "operation");

  expect(latencies.get("GET /")).toEqual({ times: [1, 2, 3], values: [10, null, 30] });
  expect(alignSeries([{ times: [1, 3], values: [1, 3] }, { times: [2], values: [2] }])).toEqual([[1, 2, 3], [1, null, 3], [null, 2, null]]);
  const lines = operationLines(latencies, readFamily(family("GET /", point(2, 1)), "operation"), new Map());
  expect(lines).toMatchObject([{ name: "GET /", p95: 20, rate: 2, errors: null, impact: 1 }]);
  expect(readFamily({ ...family(""), metrics: [] }, "").size).toBe(0);
});

test.each([
  ["2023-11-14 22:13:20 +0000 UTC", "2023-11-14 22:13:20.000000001 +0000 UTC", true],
  ["2023-11-14 22:13:20.5 +0000 UTC", "2023-11-14 22:13:20.500000001 +0000 UTC", true],
  ["2023-11-14 22:13:19 +0000 UTC", "2023-11-14 22:13:20.000000001 +0000 UTC", false],
  ["2023-11-14 22:13:20.4 +0000 UTC", "2023-11-14 22:13:20.500000001 +0000 UTC", false],
])("an end at %s that became %s: took no time is %s", (end, adjusted, zero) => {
  expect(isZeroLength(`Negative duration detected, sanitizing end timestamp. Original end timestamp: ${end}, adjusted to: ${adjusted}`)).toBe(zero);
  expect(isZeroLength("something else")).toBe(false);
});
