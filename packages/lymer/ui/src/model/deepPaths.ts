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
  /** Empty if operations are not told apart, or if the node stands for several. */
  operation: string;
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

/**
 * Which places are one node, from the fewest nodes to the most. Names and meanings are Jaeger's
 * (Jaeger UI v2.20, `model/ddg/types.ts`, `EDdgDensity`).
 *
 * `mc`: one for each name; `up-vs-down`: one each before and after; `per-level`: one for each distance;
 * `ppe`: one for each way to the service looked at; `ext-vs-int`: and the ends of ways apart.
 */
export const DENSITIES = ["ppe", "ext-vs-int", "per-level", "up-vs-down", "mc"] as const;
export type Density = (typeof DENSITIES)[number];

interface DeepOptions {
  readonly service: string;
  /** Empty: any. */
  readonly operation: string;
  /** Tell operations of one service apart. */
  readonly operations: boolean;
  readonly density: Density;
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

/** Return what the place at `at` is known by: places with one key are one node. */
function keyOf(path: readonly PathStep[], at: number, focus: number, options: DeepOptions): string {
  const nameOf = ({ service, operation }: PathStep): string[] => (options.operations ? [service, operation] : [service]);
  const step = path[at];
  const hop = at - focus;
  if (hop === 0) return "focus";
  switch (options.density) {
    case "mc": {
      const center = step.service === options.service && (!options.operations || step.operation === path[focus].operation);
      return center ? "focus" : JSON.stringify(nameOf(step));
    }
    case "up-vs-down":
      return JSON.stringify([Math.sign(hop), ...nameOf(step)]);
    case "per-level":
      return JSON.stringify([hop, ...nameOf(step)]);
    case "ppe":
    case "ext-vs-int": {
      const way = path.slice(Math.min(at, focus), Math.max(at, focus) + 1).map((one) => (one === path[focus] ? [] : nameOf(one)));
      const end = options.density === "ext-vs-int" && (at === 0 || at === path.length - 1);
      return JSON.stringify([Math.sign(hop), way, end]);
    }
  }
}

/** Merge ways into one graph: places with one key are one node, called as many times as its ways were gone. */
export function deepGraph(paths: readonly DeepPath[], options: DeepOptions): DeepGraph {
  const nodes: DeepNode[] = [];
  const places = new Map<string, number>();
  const edges = new Map<string, { from: number; to: number; count: number }>();
  let [up, down] = [0, 0];
  for (const { path: steps, count, traceIds } of paths) {
    const path = options.operations ? steps : withoutRepeats(steps, options);
    const focus = path.findIndex(
      ({ service, operation }) =>
        service === options.service && (options.operation === "" || operation === options.operation),
    );
    if (focus < 0) continue;
    up = Math.max(up, focus);
    down = Math.max(down, path.length - 1 - focus);
    const passed = new Set<number>();
    const gone = new Set<string>();
    let before = -1;
    for (let at = Math.max(0, focus - options.up); at <= Math.min(path.length - 1, focus + options.down); at++) {
      const { service, operation } = path[at];
      const key = keyOf(path, at, focus, options);
      let place = places.get(key);
      if (place === undefined) {
        const told = options.operations || (at === focus && options.operation !== "");
        place = nodes.push({ key, service, operation: told ? operation : "", hop: at - focus, count: 0, traceIds: new Set() }) - 1;
        places.set(key, place);
      } else if (nodes[place].operation !== operation) nodes[place].operation = "";
      if (!passed.has(place)) {
        passed.add(place);
        nodes[place].count += count;
        for (const id of traceIds) nodes[place].traceIds.add(id);
      }
      const line = `${before}/${place}`;
      if (before >= 0 && before !== place && !gone.has(line)) {
        gone.add(line);
        const edge = edges.get(line) ?? { from: before, to: place, count: 0 };
        edge.count += count;
        edges.set(line, edge);
      }
      before = place;
    }
  }
  return { nodes, edges: [...edges.values()], up, down };
}
