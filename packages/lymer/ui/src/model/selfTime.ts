/** Self time: how long a span worked while none of its direct children did. */

import type { TraceColumns } from "./columns.ts";
import type { SpanTree } from "./tree.ts";

/**
 * Return the self time of each span, nanoseconds: its duration without the union of its direct
 * children, each cut to the span.
 */
export function selfTimes(trace: TraceColumns, tree: SpanTree): Float64Array {
  const own = Float64Array.from(trace.duration);
  // Rows are depth first and siblings by start: the children of a span come in order of start.
  const coveredUntil = Float64Array.from(trace.start);
  const stack: number[] = [];
  for (let row = 0; row < trace.count; row++) {
    const span = tree.order[row];
    stack.length = tree.depth[row];
    const parent = stack[stack.length - 1];
    stack.push(span);
    if (parent === undefined) continue;
    const end = Math.min(trace.start[span] + trace.duration[span], trace.start[parent] + trace.duration[parent]);
    const from = Math.max(trace.start[span], coveredUntil[parent]);
    if (end <= from) continue;
    own[parent] -= end - from;
    coveredUntil[parent] = end;
  }
  return own;
}
