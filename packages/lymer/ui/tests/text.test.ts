/** Text forms: durations, logfmt, searches in the URL. */

import { describe, expect, test } from "vitest";

import { formatDuration, parseDuration, tickStep } from "../src/model/duration.ts";
import { formatLogfmt, parseLogfmt } from "../src/model/logfmt.ts";
import { askedAt, questionRange, readQuestion, rfc3339, summariesParams, writeQuestion } from "../src/model/question.ts";

describe("durations", () => {
  test.each([
    [0, "0"], [1, "1ns"], [999, "999ns"], [1_000, "1µs"], [2_310_000, "2.31ms"], [27_540_000, "27.5ms"],
    [999_600_000, "1s"], [1_400_000_000, "1.4s"], [200_000_000_000, "3m 20s"], [7_260_000_000_000, "2h 1m"],
    [-5_000, "−5µs"],
  ])("%d ns reads %s", (nanos, text) => {
    expect(formatDuration(nanos)).toBe(text);
  });

  test.each([
    ["1.2s", 1.2e9], ["100ms", 1e8], ["500us", 5e5], ["500µs", 5e5], ["1h30m", 5.4e12], [" 7ns ", 7],
    ["", null], ["5", null], ["abc", null], ["1s x", null], ["1s2", null],
  ])("%j means %s ns", (text, nanos) => {
    expect(parseDuration(text)).toBe(nanos);
  });

  test.each([[100, 5, 20], [1000, 4, 250], [7, 10, 1], [0.5, 10, 1]])("%d in %d parts: steps of %d", (range, count, step) => {
    expect(tickStep(range, count)).toBe(step);
  });
});

describe("logfmt", () => {
  test.each([
    ["error=true", { error: "true" }],
    ['db.statement="select * from User" a=b', { "db.statement": "select * from User", a: "b" }],
    ["flag", { flag: "true" }],
    ['quote="say \\"hi\\" \\\\"', { quote: 'say "hi" \\' }],
    ["empty=", { empty: "" }],
    ["url=/a?b=c", { url: "/a?b=c" }],
    ["  ", {}],
  ])("%s is read", (text, tags) => {
    expect(parseLogfmt(text)).toEqual({ ok: true, tags });
  });

  test.each([["=x", 0], ['a=b c="open', 4], ['a="x"y', 0]])("%s is faulty at %d", (text, position) => {
    expect(parseLogfmt(text)).toEqual({ ok: false, position });
  });

  test("what is written reads back", () => {
    const tags = { a: "1", b: "two words", c: 'q"\\', d: "", e: "x=y" };

    expect(parseLogfmt(formatLogfmt(tags))).toEqual({ ok: true, tags });
  });
});

describe("searches in the URL", () => {
  test("a link made by Jaeger's UI opens as it was meant", () => {
    const link =
      "end=1700000000000000&limit=50&lookback=1h&maxDuration=2s&minDuration=10ms&operation=all" +
      "&service=shop&start=1699996400000000&tags=%7B%22error%22%3A%22true%22%7D";
    const question = readQuestion(new URLSearchParams(link));

    expect(question).toMatchObject({
      service: "shop",
      operation: "",
      tags: { error: "true" },
      lookback: "1h",
      startMicros: 1699996400000000,
      endMicros: 1700000000000000,
      minDuration: "10ms",
      maxDuration: "2s",
      limit: 50,
    });
  });

  test("a link with nothing but a lookback counts back from now", () => {
    const question = readQuestion(new URLSearchParams("lookback=2h"));

    expect(questionRange(question, 10_000e6)).toEqual([10_000e6 - 7_200e6, 10_000e6]);
  });

  test("a link with a start and no lookback is a custom range", () => {
    expect(readQuestion(new URLSearchParams("start=5&end=9")).lookback).toBe("custom");
  });

  test("rubbish in a link counts as not given", () => {
    const question = readQuestion(new URLSearchParams("limit=x&tags=%7B&start=-1&lookback=soon"));

    expect(question).toMatchObject({ limit: 20, tags: {}, startMicros: null });
    expect(questionRange(question, 3_600e6)).toEqual([0, 3_600e6]);
  });

  test("limits stay within bounds", () => {
    expect(readQuestion(new URLSearchParams("limit=99999")).limit).toBe(1500);
    expect(readQuestion(new URLSearchParams("limit=0")).limit).toBe(1);
  });

  test("trace ids and marked spans are read", () => {
    const question = readQuestion(new URLSearchParams("traceID=AB&traceID=cd&span=1 2@ab&tag=k:v:w"));

    expect(question.traceIds).toEqual(["ab", "cd"]);
    expect(question.spans).toEqual({ ["ab".padStart(32, "0")]: "1 2" });
    expect(question.tags).toEqual({ k: "v:w" });
  });

  test("what is written reads back", () => {
    const asked = askedAt(readQuestion(new URLSearchParams('service=a&tags={"k":"v"}&limit=7')), 9e15);

    expect(readQuestion(writeQuestion(asked))).toEqual(asked);
    expect(asked.endMicros).toBe(9e15);
    expect(askedAt(asked, 9e15, "1m")).toMatchObject({ startMicros: 9e15 - 3600e6, endMicros: 9e15 - 60e6 });
    expect(askedAt(asked, 9e15, "2h").endMicros).toBe(9e15);
    expect(askedAt(asked, 9e15, "soon").endMicros).toBe(9e15);
  });

  test("the API is asked with microseconds kept", () => {
    const question = readQuestion(new URLSearchParams("start=1700000000123456&end=1700000001000007&minDuration=1ms"));
    const params = summariesParams(question, 0);

    expect(params).toEqual({
      "query.startTimeMin": "2023-11-14T22:13:20.123456Z",
      "query.startTimeMax": "2023-11-14T22:13:21.000007Z",
      "query.durationMin": "1ms",
      "query.searchDepth": 20,
    });
    expect(rfc3339(0)).toBe("1970-01-01T00:00:00.000000Z");
  });
});
