/** What every part of the trace page looks at and does not change. */

import { createContext, useContext } from "react";

import type { TraceIndex } from "../../api/traceIndex.ts";
import type { Analysis } from "../../model/analysis.ts";
import type { TraceColumns } from "../../model/columns.ts";
import type { SpanTree } from "../../model/tree.ts";

export interface ShownTrace {
  /** The spans of the services that are shown. */
  readonly trace: TraceColumns;
  readonly tree: SpanTree;
  readonly analysis: Analysis;
  /** What to show of each service where there is little room. */
  readonly serviceNames: readonly string[];
  /** Palette index of each service of the trace. */
  readonly colors: Int32Array;
  /** Every span of the trace, shown or not. */
  readonly whole: TraceColumns;
  /** Knows the attributes. */
  readonly index: TraceIndex;
  /** Whether it came out of a file: then the server knows nothing of it. */
  readonly uploaded: boolean;
}

export const ShownTraceContext = createContext<ShownTrace | null>(null);

export function useShownTrace(): ShownTrace {
  const shown = useContext(ShownTraceContext);
  if (!shown) throw new Error("cannot read the trace: outside of its page");
  return shown;
}
