/**
 * One trace as binary columns: what the server sends instead of JSON, read without copying.
 *
 * `LYTC`, version and length of a JSON head (little-endian), the head, then the columns it names, each at a multiple of
 * eight. Spans stand depth first, siblings by start. Source: docs/trace-columns.md.
 */

import { displayTraceId, finishWarnings, type TraceColumns } from "./columns.ts";
import { PackedIds } from "./spanIds.ts";

const MAGIC = 0x4354594c; // "LYTC", read as a little-endian number
const VERSION = 1;
const HEAD_AT = 12;
const ORPHAN = 2;

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
  const finished = finishWarnings(warnings, start, duration, status, orphan);
  const self = head.columns.some(({ name }) => name === "self") ? floats("self") : null;
  // The nanosecond of a span that took no time went with its warning.
  if (self) for (let span = duration.indexOf(0); span >= 0; span = duration.indexOf(0, span + 1)) self[span] = 0;
  return {
    traceId: head.traceId,
    displayTraceId: displayTraceId(head.traceId),
    startUnixNano: BigInt(head.startUnixNano),
    count: head.spanCount,
    services: head.services,
    names: head.names,
    spanId: new PackedIds(bytes("spanId")),
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
    ...(self && { self }),
    ...(head.columns.some(({ name }) => name === "criticalSpan")
      ? { criticalSections: { span: ints("criticalSpan"), from: floats("criticalStart"), to: floats("criticalEnd") } }
      : {}),
    ...finished,
  };
}
