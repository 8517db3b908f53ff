/** Traces out of files: kept in this page, never sent to the store, gone with a reload. */

import type { JaegerTrace } from "../model/jaeger.ts";

const traces = new Map<string, JaegerTrace>();

function fullId(traceId: string): string {
  return traceId.toLowerCase().padStart(32, "0");
}

/** Keep a trace; one with the same id gives way. */
export function keepUpload(trace: JaegerTrace): void {
  traces.set(fullId(trace.traceID), trace);
}

export function uploadOf(traceId: string): JaegerTrace | null {
  return traces.get(fullId(traceId)) ?? null;
}

export function allUploads(): readonly JaegerTrace[] {
  return [...traces.values()];
}
