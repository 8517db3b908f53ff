/** Services and who calls whom, and the part of it around one service. */

import type { Shape } from "./wire.ts";

export interface CallNode {
  readonly id: string;
  readonly name: string;
  readonly kind: Shape<"ServiceGraph">["nodes"][number]["kind"];
  readonly calls: number;
  readonly errors: number | null;
  /** Median, 95th and 99th percentile, nanoseconds; null where nothing is known. */
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  /** What was in the window before; null if it was not there, absent if nobody asked. */
  readonly before?: Before | null;
}

/** Figures of the window before. */
export interface Before {
  readonly calls: number;
  readonly errors: number;
  readonly p95: number | null;
}

export interface CallEdge {
  readonly from: string;
  readonly to: string;
  readonly calls: number;
  readonly errors: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly before?: Before | null;
}

export interface CallGraph {
  readonly nodes: readonly CallNode[];
  readonly edges: readonly CallEdge[];
}

type Figures = Omit<Shape<"ServiceGraph">["edges"][number], "from" | "to" | "type">;

function figuresOf({ calls, errors, p50Nano, p95Nano, p99Nano, before }: Figures) {
  const was = before ? { calls: before.calls, errors: before.errors, p95: before.p95Nano } : before;
  return { calls, errors, p50: p50Nano, p95: p95Nano, p99: p99Nano, ...(was === undefined ? {} : { before: was }) };
}

/** How much slower or faster something got against before, as a factor; null if that says nothing. */
export function slowdown(part: CallNode | CallEdge): number | null {
  const was = part.before?.p95;
  if (!was || part.p95 === null || part.calls < CALLS_MIN || (part.before?.calls ?? 0) < CALLS_MIN) return null;
  return part.p95 / was;
}

/** Fewer calls are chance. */
const CALLS_MIN = 20;

/** Read the service graph; of two services there is one edge, calls going before links between traces. */
export function readGraph(wire: Shape<"ServiceGraph">): CallGraph {
  const edges = new Map<string, CallEdge>();
  for (const edge of wire.edges.toSorted((a, b) => a.type.localeCompare(b.type))) {
    const key = JSON.stringify([edge.from, edge.to]);
    if (!edges.has(key)) edges.set(key, { from: edge.from, to: edge.to, ...figuresOf(edge) });
  }
  const nodes = wire.nodes.map((node) => ({ id: node.id, name: node.name, kind: node.kind, ...figuresOf(node) }));
  return { nodes, edges: [...edges.values()] };
}

/** How far each node is from `focus`, along edges in either direction of travel, each kept straight. */
function distances(graph: CallGraph, focus: string, depth: number): Set<string> {
  const kept = new Set([focus]);
  for (const [near, far] of [["from", "to"], ["to", "from"]] as const) {
    let ring = new Set([focus]);
    for (let step = 0; step < depth && ring.size > 0; step++) {
      const next = new Set<string>();
      for (const edge of graph.edges) {
        if (ring.has(edge[near]) && !ring.has(edge[far])) next.add(edge[far]);
      }
      for (const id of next) kept.add(id);
      ring = next;
    }
  }
  return kept;
}

/** Return what calls `focus` or is called by it, `depth` steps up and down; 0 means all the way. */
export function aroundService(graph: CallGraph, focus: string, depth: number): CallGraph {
  if (!focus || !graph.nodes.some(({ id }) => id === focus)) return graph;
  const kept = distances(graph, focus, depth > 0 ? depth : graph.nodes.length);
  return {
    nodes: graph.nodes.filter(({ id }) => kept.has(id)),
    edges: graph.edges.filter(({ from, to }) => kept.has(from) && kept.has(to)),
  };
}

/** Return the graph without links that are called less often than `calls`, and without what then stands alone. */
export function busyPart(graph: CallGraph, calls: number): CallGraph {
  if (calls <= 1) return graph;
  const edges = graph.edges.filter((edge) => edge.calls >= calls);
  const kept = new Set(edges.flatMap(({ from, to }) => [from, to]));
  return { nodes: graph.nodes.filter(({ id }) => kept.has(id)), edges };
}
