/**
 * One trace as binary columns: what the server sends instead of JSON, read without copying.
 *
 * `LYTC`, version and length of a JSON head (little-endian), the head, then the columns it names, each at a multiple of
 * eight. Spans stand depth first, siblings by start. Source: docs/trace-columns.md.
 */

import { displayTraceId, finishWarnings, type TraceColumns } from "./columns.ts";

const MAGIC = 0x4354594c; // "LYTC", read as a little-endian number
const VERSION = 1;
const HEAD_AT = 12;
const ORPHAN = 2;
const ID_BYTES = 8;

interface Head {
  readonly traceId: string;
  readonly startUnixNano: string;
  readonly spanCount: number;
  readonly services: readonly string[];
  readonly names: readonly string[];
  readonly columns: readonly { readonly name: string; readonly offset: number; readonly bytes: number }[];
}

/** An answer that is no trace in columns. */
export class ColumnsError extends Error {}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function readIds(bytes: Uint8Array, count: number): string[] {
  return Array.from({ length: count }, (_, span) => {
    let id = "";
    for (let at = span * ID_BYTES; at < (span + 1) * ID_BYTES; at++) id += HEX[bytes[at]];
    return id;
  });
}

/** Read an answer; the arrays are views of `buffer`, which must not change any more. */
export function decodeColumns(buffer: ArrayBuffer): TraceColumns {
  const view = new DataView(buffer);
  if (buffer.byteLength < HEAD_AT || view.getUint32(0, true) !== MAGIC) throw new ColumnsError("not a trace in columns");
  const version = view.getUint32(4, true);
  if (version !== VERSION) throw new ColumnsError(`columns of version ${version}, not ${VERSION}`);
  const headBytes = view.getUint32(8, true);
  const text = new TextDecoder();
  const head = JSON.parse(text.decode(new Uint8Array(buffer, HEAD_AT, headBytes))) as Head;
  const body = HEAD_AT + headBytes;
  const place = (name: string): { readonly offset: number; readonly bytes: number } => {
    const column = head.columns.find((one) => one.name === name);
    if (!column || body + column.offset + column.bytes > buffer.byteLength) {
      throw new ColumnsError(`the column ${name} is not there in full`);
    }
    return { offset: body + column.offset, bytes: column.bytes };
  };
  const bytes = (name: string): Uint8Array => {
    const { offset, bytes: length } = place(name);
    return new Uint8Array(buffer, offset, length);
  };
  const ints = (name: string): Int32Array => {
    const { offset, bytes: length } = place(name);
    return new Int32Array(buffer, offset, length / 4);
  };
  const unsigned = (name: string): Uint32Array => {
    const { offset, bytes: length } = place(name);
    return new Uint32Array(buffer, offset, length / 4);
  };
  const floats = (name: string): Float64Array => {
    const { offset, bytes: length } = place(name);
    return new Float64Array(buffer, offset, length / 8);
  };
  const start = floats("start");
  const duration = floats("duration");
  const status = bytes("status");
  const orphan = Uint8Array.from(bytes("flags"), (flags) => (flags & ORPHAN ? 1 : 0));
  const warnings = JSON.parse(text.decode(bytes("warnings"))) as [number, string][];
  return {
    traceId: head.traceId,
    displayTraceId: displayTraceId(head.traceId),
    startUnixNano: BigInt(head.startUnixNano),
    count: head.spanCount,
    services: head.services,
    names: head.names,
    spanId: readIds(bytes("spanId"), head.spanCount),
    parent: ints("parent"),
    service: ints("service"),
    name: ints("name"),
    kind: bytes("kind"),
    status,
    start,
    duration,
    events: unsigned("events"),
    links: unsigned("links"),
    orphan,
    ...(head.columns.some(({ name }) => name === "self") ? { self: floats("self") } : {}),
    ...(head.columns.some(({ name }) => name === "criticalSpan")
      ? { criticalSections: { span: ints("criticalSpan"), from: floats("criticalStart"), to: floats("criticalEnd") } }
      : {}),
    ...finishWarnings(warnings, start, duration, status, orphan),
  };
}
