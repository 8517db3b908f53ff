/** A trace in binary columns becomes the same as one in JSON; what is no such trace is refused. */

import { expect, test } from "vitest";

import { Analysis } from "../src/model/analysis.ts";
import { ColumnsError, decodeColumns } from "../src/model/binaryColumns.ts";
import { buildTree } from "../src/model/tree.ts";
import { idsOf, makeTrace, randomSpans } from "./make.ts";

type Column = readonly [string, string, ArrayLike<number> & { readonly buffer: ArrayBufferLike; readonly byteOffset: number; readonly byteLength: number }];

/** Write columns as the server does: docs/trace-columns.md. */
function encode(head: object, columns: readonly Column[]): ArrayBuffer {
  let offset = 0;
  const placed = columns.map(([name, type, { byteLength }]) => {
    const column = { name, type, offset, bytes: byteLength };
    offset += Math.ceil(byteLength / 8) * 8;
    return column;
  });
  let text = JSON.stringify({ ...head, columns: placed });
  text += " ".repeat((8 - ((new TextEncoder().encode(text).length + 12) % 8)) % 8);
  const headBytes = new TextEncoder().encode(text);
  const buffer = new ArrayBuffer(12 + headBytes.length + offset);
  const bytes = new Uint8Array(buffer);
  bytes.set(new TextEncoder().encode("LYTC"));
  new DataView(buffer).setUint32(4, 1, true);
  new DataView(buffer).setUint32(8, headBytes.length, true);
  bytes.set(headBytes, 12);
  columns.forEach(([, , { buffer: from, byteOffset, byteLength }], at) => {
    bytes.set(new Uint8Array(from as ArrayBuffer, byteOffset, byteLength), 12 + headBytes.length + placed[at].offset);
  });
  return buffer;
}

function encodeTrace(seed: number): { readonly buffer: ArrayBuffer; readonly trace: ReturnType<typeof makeTrace> } {
  const made = makeTrace(randomSpans(seed, 30));
  const order = [...buildTree(made).order];
  const row = new Map(order.map((span, at) => [span, at]));
  const trace = makeTrace(
    order.map((span) => ({
      parent: row.get(made.parent[span]) ?? -1,
      start: made.start[span],
      duration: made.duration[span],
      service: `결제 ${span % 3}`,
      id: made.spanId.at(span),
    })),
  );
  const { self } = new Analysis(trace, buildTree(trace));
  return { buffer: encodeColumns(trace, self, [[1, "odd"], [1, "strange"]]), trace };
}

function encodeColumns(trace: ReturnType<typeof makeTrace>, self: Float64Array, warnings: readonly (readonly [number, string])[]): ArrayBuffer {
  const { critical } = new Analysis(trace, buildTree(trace));
  const ids = Uint8Array.from(idsOf(trace).flatMap((id) => id.match(/../g) ?? []), (pair) => Number.parseInt(pair, 16));
  const flags = Uint8Array.from(trace.status, (_, span) => (span === 3 ? 2 : 0));
  const columns: Column[] = [
    ["spanId", "u8x8", ids], ["parent", "i32", trace.parent], ["service", "u32", trace.service], ["name", "u32", trace.name],
    ["kind", "u8", trace.kind], ["status", "u8", trace.status], ["flags", "u8", flags], ["start", "f64", trace.start],
    ["duration", "f64", trace.duration], ["self", "f64", self], ["events", "u32", trace.events], ["links", "u32", trace.links],
    ["criticalSpan", "u32", critical.span], ["criticalStart", "f64", critical.from], ["criticalEnd", "f64", critical.to],
    ["warnings", "json", new TextEncoder().encode(JSON.stringify(warnings))],
  ];
  const { traceId, services, names } = trace;
  return encode({ traceId, startUnixNano: "1700000000000000000", spanCount: trace.count, services, names }, columns);
}

test("columns become the trace that they were made from", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { buffer, trace } = encodeTrace(seed);
    const read = decodeColumns(buffer);
    for (const name of ["count", "traceId", "services", "durationNano", "errorCount", "startUnixNano"] as const) {
      expect(read[name]).toEqual(trace[name]);
    }
    expect(idsOf(read)).toEqual(idsOf(trace));
    for (const name of ["parent", "service", "kind", "start", "duration"] as const) expect([...read[name]]).toEqual([...trace[name]]);
    expect([read.orphanCount, read.warnings.get(1)]).toEqual([1, ["odd", "strange"]]);
    const tree = buildTree(read);
    expect([...tree.order]).toEqual([...tree.order.keys()]);
    const { criticalSections: _1, self: _2, ...plain } = read;
    const server = new Analysis(read, tree);
    const own = new Analysis(plain, tree);
    expect([...server.self]).toEqual([...own.self]);
    expect([...server.critical.bySpan]).toEqual([...own.critical.bySpan]);
    expect([...server.critical.firstOf]).toEqual([...own.critical.firstOf]);
  }
});

test("a span that took no time has no self time either", () => {
  const instant = "Negative duration detected. Original end timestamp: 2026-11-30 06:00:00.000000001 +0000 UTC, adjusted to: 2026-11-30 06:00:00.000000002 +0000 UTC";
  const trace = makeTrace([{ duration: 50 }, { parent: 0, duration: 1 }]);
  const read = decodeColumns(encodeColumns(trace, Float64Array.of(49, 1), [[1, instant]]));

  expect([[...read.duration], [...(read.self ?? [])], read.warnings.size]).toEqual([[50, 0], [49, 0], 0]);
});

test("what is no trace in columns is refused", () => {
  const { buffer } = encodeTrace(1);
  const newer = buffer.slice(0);
  new DataView(newer).setUint32(4, 2, true);

  expect(() => decodeColumns(new TextEncoder().encode('{"data":null}').buffer as ArrayBuffer)).toThrow(ColumnsError);
  expect(() => decodeColumns(new ArrayBuffer(3))).toThrow(ColumnsError);
  expect(() => decodeColumns(newer)).toThrow("version 2");
  expect(() => decodeColumns(buffer.slice(0, buffer.byteLength - 40))).toThrow("not there in full");
});
