import { describe, expect, it } from "vitest";

import { quoted, withCondition } from "../src/model/narrow.ts";

const VERSION = { scope: "resource", key: "service.version", value: "1.4.2" };

describe("narrowing a question", () => {
  it("makes a question of nothing", () => {
    expect(withCondition("", VERSION, false)).toBe('{ resource.service.version = "1.4.2" }');
    expect(withCondition("{}", VERSION, true)).toBe('{ resource.service.version != "1.4.2" }');
  });

  it("joins a condition to those that are there", () => {
    expect(withCondition("{ duration > 1s }", VERSION, false)).toBe(
      '{ duration > 1s && resource.service.version = "1.4.2" }',
    );
    expect(withCondition("{ kind = server || kind = client }", VERSION, false)).toBe(
      '{ (kind = server || kind = client) && resource.service.version = "1.4.2" }',
    );
  });

  it("joins what is no single filter with a filter", () => {
    expect(withCondition("{ a = 1 } >> { b = 2 }", VERSION, false)).toBe(
      '{ a = 1 } >> { b = 2 } && { resource.service.version = "1.4.2" }',
    );
  });

  it("quotes keys and values that need it", () => {
    expect(quoted('a"b\\c')).toBe('"a\\"b\\\\c"');
    expect(withCondition("", { scope: "span", key: "a b", value: "x" }, false)).toBe('{ span."a b" = "x" }');
  });
});
