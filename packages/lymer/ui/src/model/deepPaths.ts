/** Ways through the system that pass one service: what leads to it and what it leads to, several steps far. */

/** One place on a way. */
export interface PathStep {
  readonly service: string;
  readonly operation: string;
}

export interface DeepPath {
  readonly path: readonly PathStep[];
  /** How many times it was seen; 1 if nobody counted. */
  readonly count: number;
  /** Traces that went this way. */
  readonly traceIds: readonly string[];
}

/** Service or operation at one distance from the one looked at: below 0 callers, above 0 callees. */
export interface DeepNode {
  readonly key: string;
  readonly service: string;
  readonly operation: string;
  readonly hop: number;
  count: number;
  readonly traceIds: Set<string>;
}

export interface DeepGraph {
  readonly nodes: readonly DeepNode[];
  readonly edges: readonly { readonly from: number; readonly to: number; readonly count: number }[];
  /** Farthest hops there are, whether shown or not. */
  readonly up: number;
  readonly down: number;
}

interface DeepOptions {
  readonly service: string;
  /** Empty: any. */
  readonly operation: string;
  /** Tell operations of one service apart. */
  readonly operations: boolean;
  /** Hops that are shown, in either direction. */
  readonly up: number;
  readonly down: number;
}

/** A service that calls itself is one place, unless its operations are told apart; the one asked for stays. */
function withoutRepeats(steps: readonly PathStep[], { service, operation }: DeepOptions): readonly PathStep[] {
  const wanted = (step: PathStep): boolean => step.service === service && step.operation === operation;
  const kept: PathStep[] = [];
  for (const step of steps) {
    const last = kept[kept.length - 1];
    if (last?.service !== step.service) kept.push(step);
    else if (wanted(step)) kept[kept.length - 1] = step;
  }
  return kept;
}

/** Merge ways into one graph: places at one distance with one name are one node. */
export function deepGraph(paths: readonly DeepPath[], options: DeepOptions): DeepGraph {
  const nodes: DeepNode[] = [];
  const places = new Map<string, number>();
  const edges = new Map<string, { from: number; to: number; count: number }>();
  let [up, down] = [0, 0];
  const nodeOf = (step: PathStep, hop: number): number => {
    const operation = options.operations ? step.operation : "";
    const key = JSON.stringify([hop, step.service, operation]);
    let place = places.get(key);
    if (place === undefined) {
      place = nodes.push({ key, service: step.service, operation, hop, count: 0, traceIds: new Set() }) - 1;
      places.set(key, place);
    }
    return place;
  };
  for (const { path: steps, count, traceIds } of paths) {
    const path = options.operations ? steps : withoutRepeats(steps, options);
    const focus = path.findIndex(
      ({ service, operation }) =>
        service === options.service && (options.operation === "" || operation === options.operation),
    );
    if (focus < 0) continue;
    up = Math.max(up, focus);
    down = Math.max(down, path.length - 1 - focus);
    let before = -1;
    path.forEach((step, at) => {
      const hop = at - focus;
      if (hop < -options.up || hop > options.down) return;
      const node = nodeOf(step, hop);
      nodes[node].count += count;
      for (const id of traceIds) nodes[node].traceIds.add(id);
      if (before >= 0) {
        const key = `${before}/${node}`;
        const edge = edges.get(key) ?? { from: before, to: node, count: 0 };
        edge.count += count;
        edges.set(key, edge);
      }
      before = node;
    });
  }
  return { nodes, edges: [...edges.values()], up, down };
}
