/** Spans merged by their path of service and operation from the root: flame graph, graph, comparison. */

import { STATUS_ERROR, type TraceColumns } from "./columns.ts";
import type { SpanTree } from "./tree.ts";

/** One merged node; times in nanoseconds, summed over its spans. */
export interface PathNode {
  /** Place in the list of nodes; parents come before their children. */
  readonly id: number;
  readonly parent: number;
  readonly depth: number;
  readonly service: string;
  readonly operation: string;
  readonly children: number[];
  spans: number[];
  total: number;
  self: number;
  critical: number;
  errors: number;
}

/** Merge the spans of a trace; the result is in depth-first order of first appearance. */
export function mergePaths(
  trace: TraceColumns,
  tree: SpanTree,
  self: Float64Array,
  critical?: Float64Array,
): PathNode[] {
  const nodes: PathNode[] = [];
  const byKey = new Map<string, number>();
  const stack: number[] = [];
  for (let row = 0; row < trace.count; row++) {
    const span = tree.order[row];
    stack.length = tree.depth[row];
    const parent = stack[stack.length - 1] ?? -1;
    const key = `${parent}/${trace.service[span]}/${trace.name[span]}`;
    let id = byKey.get(key);
    if (id === undefined) {
      id = nodes.length;
      byKey.set(key, id);
      nodes.push({
        id,
        parent,
        depth: stack.length,
        service: trace.services[trace.service[span]],
        operation: trace.names[trace.name[span]],
        children: [],
        spans: [],
        total: 0,
        self: 0,
        critical: 0,
        errors: 0,
      });
      if (parent >= 0) nodes[parent].children.push(id);
    }
    stack.push(id);
    const node = nodes[id];
    node.spans.push(span);
    node.total += trace.duration[span];
    node.self += self[span];
    node.critical += critical?.[span] ?? 0;
    node.errors += trace.status[span] === STATUS_ERROR ? 1 : 0;
  }
  return nodes;
}

/** A rectangle of the flame graph, in shares of the width. */
export interface FlameRect {
  readonly node: number;
  readonly depth: number;
  readonly x: number;
  readonly width: number;
}

/**
 * Lay merged nodes out as a flame graph below `root` (-1: everything).
 *
 * A node is as wide as its own self time and its children together: children that ran at the same
 * time would not fit into their parent's duration.
 */
export function flameRects(nodes: readonly PathNode[], root: number): FlameRect[] {
  const weight = new Float64Array(nodes.length);
  for (let id = nodes.length - 1; id >= 0; id--) {
    weight[id] += Math.max(0, nodes[id].self);
    if (nodes[id].parent >= 0) weight[nodes[id].parent] += weight[id];
  }
  const tops = root >= 0 ? [root] : nodes.filter(({ parent }) => parent < 0).map(({ id }) => id);
  const whole = tops.reduce((sum, id) => sum + weight[id], 0) || 1;
  const rects: FlameRect[] = [];
  const place = (ids: readonly number[], depth: number, from: number, stack: [readonly number[], number, number][]): void => {
    let x = from;
    for (const id of ids.toSorted((a, b) => weight[b] - weight[a] || a - b)) {
      const width = weight[id] / whole;
      rects.push({ node: id, depth, x, width });
      if (nodes[id].children.length > 0) stack.push([nodes[id].children, depth + 1, x]);
      x += width;
    }
  };
  const stack: [readonly number[], number, number][] = [[tops, 0, 0]];
  for (let top = stack.pop(); top; top = stack.pop()) place(top[0], top[1], top[2], stack);
  return rects;
}

/** How many spans of a path each of two traces has. */
export interface DiffNode {
  readonly id: number;
  readonly parent: number;
  readonly service: string;
  readonly operation: string;
  readonly before: number;
  readonly after: number;
  readonly beforeNanos: number;
  readonly afterNanos: number;
}

export type DiffKind = "same" | "more" | "less" | "added" | "removed";

export function diffKind(node: Pick<DiffNode, "before" | "after">): DiffKind {
  if (node.before === 0) return "added";
  if (node.after === 0) return "removed";
  return node.after === node.before ? "same" : node.after > node.before ? "more" : "less";
}

/** Lay two merged trees over each other. */
export function diffPaths(before: readonly PathNode[], after: readonly PathNode[]): DiffNode[] {
  const nodes: (DiffNode & { before: number; after: number; beforeNanos: number; afterNanos: number })[] = [];
  const byKey = new Map<string, number>();
  const add = (side: readonly PathNode[], isAfter: boolean): void => {
    const mapped = new Int32Array(side.length);
    for (const node of side) {
      const parent = node.parent >= 0 ? mapped[node.parent] : -1;
      const key = JSON.stringify([parent, node.service, node.operation]);
      let id = byKey.get(key);
      if (id === undefined) {
        id = nodes.length;
        byKey.set(key, id);
        const { service, operation } = node;
        nodes.push({ id, parent, service, operation, before: 0, after: 0, beforeNanos: 0, afterNanos: 0 });
      }
      mapped[node.id] = id;
      if (isAfter) {
        nodes[id].after += node.spans.length;
        nodes[id].afterNanos += node.total;
      } else {
        nodes[id].before += node.spans.length;
        nodes[id].beforeNanos += node.total;
      }
    }
  };
  add(before, false);
  add(after, true);
  return nodes;
}
