/** What holds for every style sheet. */

import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const FOLDER = new URL("../src/styles/", import.meta.url);

test("no grid grows with a long word: its columns are said, and may be narrower than what is in them", () => {
  const growing = readdirSync(FOLDER).flatMap((file) => {
    const rules = readFileSync(new URL(file, FOLDER), "utf8").matchAll(/([^{}]+)\{([^{}]*display: grid;[^{}]*)\}/g);
    return [...rules]
      .filter(([, , body]) => !/grid-template|place-|grid-auto-flow/.test(body))
      .map(([, selector]) => `${file}: ${selector.trim()}`);
  });

  expect(growing).toEqual([]);
});
