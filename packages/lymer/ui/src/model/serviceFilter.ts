/**
 * Which services of a trace are shown, as it stands in the `svcFilter` parameter.
 *
 * Source: Jaeger UI 2.20, `TracePage/url/svcFilter.ts`: a checksum of the sorted names, a point,
 * and one bit for each name, the first name in the lowest bit; both hexadecimal.
 */

import { withoutSpans, type TraceColumns } from "./columns.ts";

/** Return the checksum of names that are sorted by UTF-16 code unit. */
function checksum(names: readonly string[]): string {
  let sum = 0x811c;
  const text = names.join("\0");
  for (let at = 0; at < text.length; at++) sum = Math.imul(sum ^ text.charCodeAt(at), 0x0101) & 0xffff;
  return sum.toString(16).padStart(4, "0");
}

/** Write the names in `shown`; empty if that is all of them or none. */
export function encodeServices(services: readonly string[], shown: ReadonlySet<string>): string {
  const names = services.toSorted((a, b) => (a < b ? -1 : 1));
  let mask = 0n;
  let count = 0;
  names.forEach((name, at) => {
    if (!shown.has(name)) return;
    mask |= 1n << BigInt(at);
    count++;
  });
  return count === 0 || count === names.length ? "" : `${checksum(names)}.${mask.toString(16)}`;
}

/** Read which names are shown; null if the text is none, or was made for other services: all are. */
export function decodeServices(services: readonly string[], text: string): ReadonlySet<string> | null {
  const match = /^([0-9a-f]{4})\.([0-9a-f]+)$/i.exec(text);
  const names = services.toSorted((a, b) => (a < b ? -1 : 1));
  if (!match || match[1].toLowerCase() !== checksum(names)) return null;
  if (match[2].length > Math.ceil(names.length / 4) + 1) return null;
  const mask = BigInt(`0x${match[2]}`);
  const shown = names.filter((_, at) => (mask >> BigInt(at)) & 1n);
  return shown.length === 0 || shown.length === names.length ? null : new Set(shown);
}

/** Return the trace with only the spans of `shown` services; null shows all. */
export function onlyServices(trace: TraceColumns, shown: ReadonlySet<string> | null): TraceColumns {
  if (!shown) return trace;
  const wanted = trace.services.map((name) => shown.has(name));
  return withoutSpans(trace, (span) => wanted[trace.service[span]]);
}
