/**
 * The critical path: at each moment the span whose work the trace was waiting for.
 *
 * Source: Jaeger UI 2.20, `TracePage/CriticalPath`: from the end of a root back, the child that
 * finished last before the point reached so far goes on; a child fully outside of its parent does
 * not count, one that sticks out is cut; what a consumer does is not waited for by its producer.
 */

import type { TraceColumns } from "./columns.ts";
import type { SpanTree } from "./tree.ts";

const PRODUCER = 4;
const CONSUMER = 5;

/** N sections, one array per field: which span, from when to when, nanoseconds since the trace's start. */
export interface CriticalPath {
  readonly span: Int32Array;
  readonly from: Float64Array;
  readonly to: Float64Array;
  /** Time on the critical path by span, nanoseconds. */
  readonly bySpan: Float64Array;
  /** Sections span by span: those of a span are `byStart[firstOf[span]]` up to the next span's. */
  readonly byStart: Int32Array;
  readonly firstOf: Int32Array;
}

interface Bounds {
  readonly start: Float64Array;
  readonly end: Float64Array;
  /** 1 where the span takes no part, and neither does what is below it. */
  readonly dropped: Uint8Array;
}

/** Cut each span to its parent, top down. */
function cutToParents(trace: TraceColumns, tree: SpanTree): Bounds {
  const start = Float64Array.from(trace.start);
  const end = Float64Array.from(trace.start, (from, span) => from + trace.duration[span]);
  const dropped = new Uint8Array(trace.count);
  const stack: number[] = [];
  for (let row = 0; row < trace.count; row++) {
    const span = tree.order[row];
    stack.length = tree.depth[row];
    const parent = stack[stack.length - 1];
    stack.push(span);
    if (parent === undefined) continue;
    const apart = trace.kind[parent] === PRODUCER && trace.kind[span] === CONSUMER;
    const outside = start[span] >= end[parent] || end[span] <= start[parent];
    if (dropped[parent] || apart || outside) {
      dropped[span] = 1;
      continue;
    }
    start[span] = Math.max(start[span], start[parent]);
    end[span] = Math.min(end[span], end[parent]);
  }
  return { start, end, dropped };
}

/** Children of each span by end, the last to finish first: `list[from[span]] …`. */
function childrenByEnd(trace: TraceColumns, tree: SpanTree, bounds: Bounds) {
  const from = new Int32Array(trace.count + 1);
  const parents = new Int32Array(trace.count).fill(-1);
  const stack: number[] = [];
  for (let row = 0; row < trace.count; row++) {
    const span = tree.order[row];
    stack.length = tree.depth[row];
    const parent = stack[stack.length - 1];
    stack.push(span);
    if (parent === undefined || bounds.dropped[span]) continue;
    parents[span] = parent;
    from[parent + 1]++;
  }
  for (let span = 0; span < trace.count; span++) from[span + 1] += from[span];
  const list = new Int32Array(from[trace.count]);
  const place = Int32Array.from(from);
  const byEnd = Int32Array.from({ length: trace.count }, (_, span) => span).sort(
    (a, b) => bounds.end[b] - bounds.end[a] || a - b,
  );
  for (const span of byEnd) if (parents[span] >= 0) list[place[parents[span]]++] = span;
  return { from, list };
}

/** Find the critical path of every root, without recursion. */
export function criticalPath(trace: TraceColumns, tree: SpanTree): CriticalPath {
  const bounds = cutToParents(trace, tree);
  const { from, list } = childrenByEnd(trace, tree, bounds);
  const spans: number[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  const emit = (span: number, start: number, end: number): void => {
    if (end <= start) return;
    spans.push(span);
    starts.push(start);
    ends.push(end);
  };
  /** Next child of each span to look at: they are used up from the last to finish on. */
  const next = Int32Array.from(from);
  const walk = (root: number): void => {
    const stack = [root];
    let until = bounds.end[root];
    while (stack.length > 0) {
      const span = stack[stack.length - 1];
      let child = -1;
      while (child < 0 && next[span] < from[span + 1]) {
        const candidate = list[next[span]++];
        if (bounds.end[candidate] <= until && bounds.start[candidate] < until) child = candidate;
      }
      if (child >= 0) {
        emit(span, bounds.end[child], until);
        until = bounds.end[child];
        stack.push(child);
      } else {
        emit(span, bounds.start[span], until);
        until = Math.min(until, bounds.start[span]);
        stack.pop();
      }
    }
  };
  for (let row = 0; row < trace.count; row = tree.end[row]) walk(tree.order[row]);
  const sections = { span: Int32Array.from(spans), from: Float64Array.from(starts), to: Float64Array.from(ends) };
  return withSums(sections, trace.count);
}

/** Add to sections, which go back in time, what is asked of them by span. */
export function withSums(sections: Pick<CriticalPath, "span" | "from" | "to">, count: number): CriticalPath {
  const { span, from, to } = sections;
  const bySpan = new Float64Array(count);
  span.forEach((one, at) => (bySpan[one] += to[at] - from[at]));
  return { span, from, to, bySpan, ...sectionsBySpan(span, count) };
}

function sectionsBySpan(spans: Int32Array, count: number): Pick<CriticalPath, "byStart" | "firstOf"> {
  const firstOf = new Int32Array(count + 1);
  for (const span of spans) firstOf[span + 1]++;
  for (let span = 0; span < count; span++) firstOf[span + 1] += firstOf[span];
  const next = Int32Array.from(firstOf);
  const byStart = new Int32Array(spans.length);
  for (let section = spans.length - 1; section >= 0; section--) byStart[next[spans[section]]++] = section;
  return { byStart, firstOf };
}
