/** Services and who calls whom, and the part of it around one service. */

export interface CallNode {
  readonly id: string;
  readonly name: string;
  readonly kind: "service" | "database" | "messaging" | "external";
  readonly calls: number;
  readonly errors: number | null;
  /** Median, 95th and 99th percentile, nanoseconds; null where nothing is known. */
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export interface CallEdge {
  readonly from: string;
  readonly to: string;
  readonly calls: number;
  readonly errors: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export interface CallGraph {
  readonly nodes: readonly CallNode[];
  readonly edges: readonly CallEdge[];
}

/** Make a graph of Jaeger's list of links, which knows calls and nothing else. */
export function graphOfLinks(
  links: readonly { readonly parent: string; readonly child: string; readonly callCount: number }[],
): CallGraph {
  const nothing = { errors: null, p50: null, p95: null, p99: null };
  const calls = new Map<string, number>();
  const edges = new Map<string, CallEdge>();
  for (const { parent, child, callCount } of links) {
    if (!calls.has(parent)) calls.set(parent, 0);
    calls.set(child, (calls.get(child) ?? 0) + callCount);
    const key = JSON.stringify([parent, child]);
    const known = edges.get(key)?.calls ?? 0;
    edges.set(key, { from: parent, to: child, calls: known + callCount, ...nothing });
  }
  const nodes = [...calls].map(([name, count]) => ({ id: name, name, kind: "service" as const, calls: count, ...nothing }));
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
