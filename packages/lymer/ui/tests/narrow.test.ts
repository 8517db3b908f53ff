import { describe, expect, it } from "vitest";

import { quoted, withCondition } from "../src/model/narrow.ts";

const VERSION = { scope: "resource", key: "service.version", value: "1.4.2" };

describe("narrowing a question", () => {
  it("makes a question of nothing", () => {
    expect(withCondition("", VERSION, false)).toBe('{ resource.service.version = "1.4.2" }');
    expect(withCondition("{}", VERSION, true)).toBe('{ !(resource.service.version = "1.4.2") }');
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
    expect(withCondition("{ .a = 1 } >> { .b = 2 }", VERSION, false)).toBe(
      '{ .a = 1 } >> { .b = 2 } | { resource.service.version = "1.4.2" }',
    );
    expect(withCondition('{ name = "a{b}" }', VERSION, true)).toBe('{ name = "a{b}" && !(resource.service.version = "1.4.2") }');
  });

  it("takes a number for the text that looks like it, too", () => {
    const status = { scope: "span", key: "code", value: "500" };
    expect(withCondition("{}", status, false)).toBe('{ (span.code = 500 || span.code = "500") }');
    expect(withCondition("{}", status, true)).toBe('{ !(span.code = 500 || span.code = "500") }');
  });

  it("asks for what spans call where the attribute is a callee's", () => {
    const callees = { ...VERSION, support: 7, own: 0 };
    expect(withCondition('{ name = "x" }', callees, false)).toBe(
      '{ name = "x" && resource.service.version = "1.4.2" } || ({ resource.service.version = "1.4.2" } << { name = "x" })',
    );
    expect(withCondition('{ name = "x" }', callees, true)).toBe(
      '{ resource.service.version = "1.4.2" } !<< { name = "x" && !(resource.service.version = "1.4.2") }',
    );
    expect(withCondition("{ .a = 1 } >> { .b = 2 }", callees, true)).toBe(
      '{ resource.service.version = "1.4.2" } !<< ({ .a = 1 } >> { .b = 2 } | { !(resource.service.version = "1.4.2") })',
    );
    expect(withCondition("", callees, true)).toBe('{ !(resource.service.version = "1.4.2") }');
    expect(withCondition('{ name = "x" }', { ...callees, own: 7 }, false)).toBe('{ name = "x" && resource.service.version = "1.4.2" }');
  });

  it("quotes keys and values that need it", () => {
    expect(quoted('a"b\\c')).toBe('"a\\"b\\\\c"');
    expect(withCondition("", { scope: "span", key: "a b", value: "x" }, false)).toBe('{ span."a b" = "x" }');
  });
});

describe("quotes", () => {
  it("keep a text on one line, whatever is in it", () => {
    expect(quoted('a\n\tb\r"c"\\n')).toBe(String.raw`"a\n\tb\r\"c\"\\n"`);
  });
});
