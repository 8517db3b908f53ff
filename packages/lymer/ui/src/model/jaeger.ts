/** The trace JSON of Jaeger's HTTP API. Times are Unix microseconds, lengths microseconds. */

import type { Shape } from "./wire.ts";

export type JaegerKeyValue = Shape<"KeyValue">;
export type JaegerReference = Shape<"Reference">;
export type JaegerLog = Shape<"Log">;
export type JaegerSpan = Shape<"Span">;
export type JaegerProcess = Shape<"Process">;
export type JaegerTrace = Shape<"Trace">;
