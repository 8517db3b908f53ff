/** What every part of the trace page looks at and does not change. */

import { createContext, useContext } from "react";

import type { TraceColumns } from "../../model/columns.ts";
import type { SpanTree } from "../../model/tree.ts";

export interface ShownTrace {
  readonly trace: TraceColumns;
  readonly tree: SpanTree;
  /** Palette index of each service of the trace. */
  readonly colors: Int32Array;
}

export const ShownTraceContext = createContext<ShownTrace | null>(null);

export function useShownTrace(): ShownTrace {
  const shown = useContext(ShownTraceContext);
  if (!shown) throw new Error("cannot read the trace: outside of its page");
  return shown;
}
