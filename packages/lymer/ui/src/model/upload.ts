/** Trace files: Jaeger's JSON as it is, OTLP's JSON for the server to turn into Jaeger's. */

import type { JaegerTrace } from "./jaeger.ts";

/** What a file holds. */
export interface TraceFile {
  readonly traces: readonly JaegerTrace[];
  /** OTLP `resourceSpans`, of all lines together. */
  readonly resourceSpans: readonly unknown[];
}

/** A file that is neither; the message says where reading stopped. */
export class TraceFileError extends Error {}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Fill in what files leave out, or return null if it is no trace. */
function readTrace(value: unknown): JaegerTrace | null {
  if (!isObject(value) || !Array.isArray(value["spans"])) return null;
  const known = isObject(value["processes"]) ? Object.entries(value["processes"]) : [];
  const processes = Object.fromEntries(
    known.map(([id, one]) => {
      const process = isObject(one) ? one : {};
      return [id, { serviceName: String(process["serviceName"] ?? ""), tags: list(process["tags"]) }];
    }),
  );
  const spans = value["spans"].filter(isObject).map((span) => ({
    ...span,
    spanID: String(span["spanID"] ?? ""),
    operationName: String(span["operationName"] ?? ""),
    startTime: Number(span["startTime"]) || 0,
    duration: Math.max(0, Number(span["duration"]) || 0),
    references: list(span["references"]),
    tags: list(span["tags"]),
    logs: list(span["logs"]),
    warnings: span["warnings"] ?? null,
  }));
  const first = spans[0] as { readonly traceID?: unknown } | undefined;
  const traceID = String(value["traceID"] ?? first?.traceID ?? "");
  return traceID ? ({ traceID, spans, processes, warnings: null } as unknown as JaegerTrace) : null;
}

function readDocument(value: unknown): TraceFile | null {
  if (isObject(value) && Array.isArray(value["resourceSpans"])) {
    return { traces: [], resourceSpans: value["resourceSpans"] };
  }
  const found = isObject(value) && Array.isArray(value["data"]) ? value["data"] : Array.isArray(value) ? value : [value];
  const parts = found.map((one): TraceFile | null => {
    const trace = readTrace(one);
    if (trace) return { traces: [trace], resourceSpans: [] };
    return isObject(one) && Array.isArray(one["resourceSpans"]) ? { traces: [], resourceSpans: one["resourceSpans"] } : null;
  });
  if (parts.length === 0 || parts.includes(null)) return null;
  return join(parts as TraceFile[]);
}

function join(parts: readonly TraceFile[]): TraceFile {
  return {
    traces: parts.flatMap(({ traces }) => traces),
    resourceSpans: parts.flatMap(({ resourceSpans }) => resourceSpans),
  };
}

function tryJson(text: string): { readonly value: unknown } | null {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return null;
  }
}

/**
 * Read a file: one JSON document, or one on each line.
 *
 * Raises `TraceFileError` with the line (from 1), or line 0 if the document is JSON of something else.
 */
export function readTraceFile(text: string): TraceFile {
  const whole = tryJson(text.replace(/^\uFEFF/, ""));
  if (whole) {
    const file = readDocument(whole.value);
    if (!file) throw new TraceFileError("0");
    return file;
  }
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const parts: TraceFile[] = [];
  lines.forEach((line, index) => {
    if (line.trim() === "") return;
    const parsed = tryJson(line);
    const file = parsed && readDocument(parsed.value);
    if (!file) throw new TraceFileError(String(index + 1));
    parts.push(file);
  });
  if (parts.length === 0) throw new TraceFileError("1");
  return join(parts);
}
