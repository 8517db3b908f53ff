/** Ids as bytes answer like ids as texts. */

import { expect, test } from "vitest";

import { PackedIds, placesOf, readIds, TextIds } from "../src/model/spanIds.ts";

/** Ids whose high or low half is shared, with copies, zero and the highest among them. */
const TEXTS = Array.from({ length: 400 }, (_, at) => {
  const [high, low] = [(at * 2654435761) % [2, 7, 2 ** 32][at % 3], (at * 40503) % [3, 50, 2 ** 32][(at >> 2) % 3]];
  return high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
}).concat("0".repeat(16), "f".repeat(16));

function packed(texts: readonly string[]): PackedIds {
  // Where they lie is no multiple of eight: nothing may depend on it.
  const view = new DataView(new ArrayBuffer(texts.length * 8 + 3), 3);
  texts.forEach((text, span) => view.setBigUint64(span * 8, BigInt(`0x${text}`)));
  return new PackedIds(new Uint8Array(view.buffer, 3));
}

const BYTES = packed(TEXTS);
const PLAIN = new TextIds(TEXTS);

test.each<[string, readonly string[]]>([
  ["some", TEXTS.filter((_, at) => at % 5 === 0)],
  ["all", TEXTS],
  ["capitals", TEXTS.slice(30, 60).map((id) => id.toUpperCase())],
  ["without leading zeros", TEXTS.slice(0, 90).map((id) => id.replace(/^0+/, ""))],
  ["with more zeros", TEXTS.slice(0, 9).map((id) => `0000${id}`)],
  ["what is no id", ["", "get", "-1", "0x1", "g".repeat(16), "1".repeat(17), "12 4", "ｆ".repeat(16)]],
  ["none", []],
])("%s are marked the same", (_, ids) => {
  const [mine, theirs] = [new Uint8Array(TEXTS.length), new Uint8Array(TEXTS.length)];
  BYTES.mark(ids, mine);
  PLAIN.mark(ids, theirs);

  expect([...mine]).toEqual([...theirs]);
});

test("each is read as it was written, also out of a part", () => {
  const spans = TEXTS.map((_, span) => span).filter((span) => span % 7 === 2);

  expect(TEXTS.map((_, span) => BYTES.at(span))).toEqual(TEXTS);
  expect(spans.map((_, at) => BYTES.pick(spans).at(at))).toEqual(spans.map((span) => TEXTS[span]));
});

test("an id leads to its first span", () => {
  const trace = { spanId: packed(["00000000000000aa", "00000000000000bb", "00000000000000aa"]), count: 3 };

  expect([...placesOf(["AA", "0bb", "cc"], trace)]).toEqual([["aa", 0], ["bb", 1]]);
});

test.each([
  ["as the server writes it", (ids: readonly string[]) => JSON.stringify({ spanIds: ids, spanCount: 9 })],
  ["with white space", (ids: readonly string[]) => JSON.stringify({ spanCount: 9, spanIds: ids }, null, 2)],
])("an answer %s marks what its texts mark", (_, write) => {
  for (const step of [1, 3, 401, 1000]) {
    const ids = TEXTS.filter((_id, at) => at % step === step - 1);
    const [read, plain, texts] = [new Uint8Array(402), new Uint8Array(402), new Uint8Array(402)];
    const words = readIds(new TextEncoder().encode(write(ids)));
    BYTES.mark(words, read);
    PLAIN.mark(words, plain);
    PLAIN.mark(ids, texts);

    expect([...read]).toEqual([...texts]);
    expect([...plain]).toEqual([...texts]);
  }
});
