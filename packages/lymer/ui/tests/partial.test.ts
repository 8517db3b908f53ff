import { afterEach, expect, test } from "vitest";

import { forgetPartial, notePartial, partialText } from "../src/app/partial.ts";

afterEach(forgetPartial);

test("what answers lack is said once, until they are whole or another page is shown", () => {
  expect(partialText()).toBe("");
  notePartial("/api/traces", "trace 1 is left out");
  notePartial("/api/search", "trace 1 is left out");
  notePartial("/api/services", "");
  expect(partialText()).toBe("trace 1 is left out");
  notePartial("/api/search", "a shard is away");
  expect(partialText()).toBe("trace 1 is left out; a shard is away");
  notePartial("/api/traces", "");
  expect(partialText()).toBe("a shard is away");
  forgetPartial();
  expect(partialText()).toBe("");
});
