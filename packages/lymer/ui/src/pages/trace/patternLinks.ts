/** Values that a site's link patterns may use on the trace page. */

import type { TraceColumns } from "../../model/columns.ts";
import type { JaegerKeyValue } from "../../model/jaeger.ts";
import type { Variables } from "../../model/linkPatterns.ts";
import type { SpanTree } from "../../model/tree.ts";

/** Facts of the trace, under Jaeger's names; times in microseconds. */
export function traceVariables(trace: TraceColumns, tree: SpanTree): Variables {
  const start = Number(trace.startUnixNano / 1000n);
  const duration = Math.round(trace.durationNano / 1000);
  const service = trace.services[trace.service[tree.root]] ?? "";
  const facts: Readonly<Record<string, string | number>> = {
    traceID: trace.displayTraceId,
    startTime: start,
    endTime: start + duration,
    duration,
    traceName: `${service}: ${trace.names[trace.name[tree.root]] ?? ""}`,
  };
  return (name) => facts[name.replace(/^trace\./, "")];
}

/** The trace's facts behind the attributes of a span. */
export function spanVariables(pairs: readonly JaegerKeyValue[], trace: Variables): Variables {
  const values = new Map(pairs.map(({ key, value }) => [key, value]));
  return (name) => (name.startsWith("trace.") ? trace(name) : (values.get(name) ?? trace(name)));
}
