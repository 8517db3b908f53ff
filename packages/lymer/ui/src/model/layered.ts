/**
 * Layered layout of a directed graph, from left to right: who calls stands left of who is called.
 *
 * The usual four steps (Sugiyama): turn edges round that close a cycle, give each node a layer,
 * order the layers so that few edges cross, place the nodes. Loops, never recursion; no randomness,
 * so the same graph always looks the same.
 */

export interface LayoutNode {
  readonly width: number;
  readonly height: number;
}

export interface LayoutEdge {
  readonly from: number;
  readonly to: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface GraphLayout {
  /** Left upper corner of each node. */
  readonly places: readonly Point[];
  /** The points each edge runs through, from its `from` to its `to`. */
  readonly routes: readonly (readonly Point[])[];
  readonly width: number;
  readonly height: number;
}

const LAYER_GAP = 72;
const NODE_GAP = 14;
const DUMMY_HEIGHT = 2;
/** Between two lines that pass a layer. */
const LINE_GAP = 5;
const ORDER_SWEEPS = 12;
const PLACE_SWEEPS = 8;

interface Links {
  readonly out: readonly number[][];
  readonly in: readonly number[][];
}

function linksOf(count: number, edges: readonly LayoutEdge[]): Links {
  const links = { out: Array.from({ length: count }, () => [] as number[]), in: Array.from({ length: count }, () => [] as number[]) };
  for (const { from, to } of edges) {
    links.out[from].push(to);
    links.in[to].push(from);
  }
  return links;
}

/** Return edges without cycles: those that lead back to where the search came from are turned round. */
function withoutCycles(count: number, edges: readonly LayoutEdge[]): LayoutEdge[] {
  const straight = edges.filter(({ from, to }) => from !== to);
  const { out, in: into } = linksOf(count, straight);
  const state = new Uint8Array(count); // 1: on the way, 2: done
  const back = new Set<number>();
  const order = Array.from({ length: count }, (_, node) => node).sort((a, b) => into[a].length - into[b].length || a - b);
  for (const root of order) {
    if (state[root]) continue;
    const stack: [number, number][] = [[root, 0]];
    state[root] = 1;
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      const [node, at] = top;
      if (at >= out[node].length) {
        state[node] = 2;
        stack.pop();
        continue;
      }
      top[1]++;
      const to = out[node][at];
      if (state[to] === 1) back.add(node * count + to);
      else if (state[to] === 0) {
        state[to] = 1;
        stack.push([to, 0]);
      }
    }
  }
  return straight.map(({ from, to }) => (back.has(from * count + to) ? { from: to, to: from } : { from, to }));
}

/** Longest way from a source, for each node; sources move up to just before what they call. */
function layersOf(count: number, edges: readonly LayoutEdge[]): Int32Array {
  const { out, in: into } = linksOf(count, edges);
  const layer = new Int32Array(count);
  const open = Int32Array.from(into, (sources) => sources.length);
  const queue: number[] = [];
  for (let node = 0; node < count; node++) if (open[node] === 0) queue.push(node);
  for (let at = 0; at < queue.length; at++) {
    for (const to of out[queue[at]]) {
      layer[to] = Math.max(layer[to], layer[queue[at]] + 1);
      if (--open[to] === 0) queue.push(to);
    }
  }
  for (let node = 0; node < count; node++) {
    if (into[node].length > 0 || out[node].length === 0) continue;
    layer[node] = Math.min(...out[node].map((to) => layer[to])) - 1;
  }
  return layer;
}

interface Proper {
  readonly layers: number[][];
  readonly heights: number[];
  readonly links: Links;
  /** The nodes an edge passes, dummies between its two ends. */
  readonly chains: readonly number[][];
}

/** Put a dummy node into each layer that an edge skips. */
function properGraph(nodes: readonly LayoutNode[], edges: readonly LayoutEdge[], layer: Int32Array): Proper {
  const heights = nodes.map(({ height }) => height);
  const layers: number[][] = [];
  const put = (node: number, into: number): void => {
    (layers[into] ??= []).push(node);
  };
  nodes.forEach((_, node) => put(node, layer[node]));
  const short: LayoutEdge[] = [];
  const chains = edges.map(({ from, to }) => {
    const chain = [from];
    for (let between = layer[from] + 1; between < layer[to]; between++) {
      const dummy = heights.push(DUMMY_HEIGHT) - 1;
      put(dummy, between);
      chain.push(dummy);
    }
    chain.push(to);
    for (let at = 1; at < chain.length; at++) short.push({ from: chain[at - 1], to: chain[at] });
    return chain;
  });
  for (let at = 0; at < layers.length; at++) layers[at] ??= [];
  return { layers, heights, links: linksOf(heights.length, short), chains };
}

/** Number of crossings between neighbouring layers, counted with a tree of sums. */
function crossings(layers: readonly number[][], position: Int32Array, out: readonly number[][]): number {
  let total = 0;
  for (let at = 0; at + 1 < layers.length; at++) {
    const size = layers[at + 1].length;
    const sums = new Int32Array(size + 1);
    let seen = 0;
    for (const node of layers[at]) {
      const targets = out[node].map((to) => position[to]).sort((a, b) => a - b);
      for (const target of targets) {
        let before = 0;
        for (let i = target + 1; i > 0; i -= i & -i) before += sums[i];
        total += seen - before;
      }
      for (const target of targets) {
        seen++;
        for (let i = target + 1; i <= size; i += i & -i) sums[i]++;
      }
    }
  }
  return total;
}

/** Order each layer by the mean place of its neighbours, back and forth; the best order is kept. */
function orderLayers({ layers, heights, links }: Proper): number[][] {
  const position = new Int32Array(heights.length);
  const number = (layer: readonly number[]): void => layer.forEach((node, place) => (position[node] = place));
  let current = layers.map((layer) => [...layer]);
  current.forEach(number);
  let best = current.map((layer) => [...layer]);
  let fewest = crossings(current, position, links.out);
  for (let sweep = 0; sweep < ORDER_SWEEPS && fewest > 0; sweep++) {
    const down = sweep % 2 === 0;
    const near = down ? links.in : links.out;
    for (let step = 1; step < current.length; step++) {
      const at = down ? step : current.length - 1 - step;
      const mean = new Map(
        current[at].map((node): [number, number] => {
          const around = near[node];
          return [node, around.length > 0 ? around.reduce((sum, other) => sum + position[other], 0) / around.length : position[node]];
        }),
      );
      current[at] = current[at].toSorted((a, b) => (mean.get(a) ?? 0) - (mean.get(b) ?? 0) || position[a] - position[b]);
      number(current[at]);
    }
    const count = crossings(current, position, links.out);
    if (count < fewest) {
      fewest = count;
      best = current.map((layer) => [...layer]);
    }
  }
  current = best;
  return current;
}

/**
 * Return the places nearest to what is wished for, in the same order and far enough apart: blocks
 * of neighbours that push each other move together to their mean (isotonic regression).
 */
export function spread(wishes: readonly number[], gaps: readonly number[]): number[] {
  const shift: number[] = [];
  let sum = 0;
  wishes.forEach((_, at) => {
    sum += at > 0 ? gaps[at - 1] : 0;
    shift.push(sum);
  });
  const blocks: { mean: number; size: number }[] = [];
  wishes.forEach((wish, at) => {
    let block = { mean: wish - shift[at], size: 1 };
    for (let last = blocks[blocks.length - 1]; last && last.mean > block.mean; last = blocks[blocks.length - 1]) {
      blocks.pop();
      block = { mean: (last.mean * last.size + block.mean * block.size) / (last.size + block.size), size: last.size + block.size };
    }
    blocks.push(block);
  });
  const bases = blocks.flatMap(({ mean, size }) => Array.from({ length: size }, () => mean));
  return bases.map((base, at) => base + shift[at]);
}

/** Return the middle of each node across the layers: near the mean of its neighbours. */
function placeAcross(layers: readonly number[][], { heights, links }: Proper): Float64Array {
  const middle = new Float64Array(heights.length);
  const gapsOf = (layer: readonly number[]): number[] =>
    layer.slice(1).map((node, at) => {
      const lines = heights[layer[at]] === DUMMY_HEIGHT && heights[node] === DUMMY_HEIGHT;
      return (heights[layer[at]] + heights[node]) / 2 + (lines ? LINE_GAP : NODE_GAP);
    });
  for (const layer of layers) {
    let y = 0;
    const gaps = gapsOf(layer);
    layer.forEach((node, at) => {
      middle[node] = y;
      y += gaps[at] ?? 0;
    });
    const half = layer.length > 0 ? middle[layer[layer.length - 1]] / 2 : 0;
    for (const node of layer) middle[node] -= half;
  }
  for (let sweep = 0; sweep < PLACE_SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    for (let step = 0; step < layers.length; step++) {
      const layer = layers[down ? step : layers.length - 1 - step];
      const wishes = layer.map((node) => {
        const around = sweep < PLACE_SWEEPS - 2 ? (down ? links.in : links.out)[node] : [...links.in[node], ...links.out[node]];
        return around.length > 0 ? around.reduce((sum, other) => sum + middle[other], 0) / around.length : middle[node];
      });
      spread(wishes, gapsOf(layer)).forEach((y, at) => (middle[layer[at]] = y));
    }
  }
  return middle;
}

export function layeredLayout(nodes: readonly LayoutNode[], edges: readonly LayoutEdge[]): GraphLayout {
  if (nodes.length === 0) return { places: [], routes: [], width: 0, height: 0 };
  const acyclic = withoutCycles(nodes.length, edges);
  const layer = layersOf(nodes.length, acyclic);
  const proper = properGraph(nodes, acyclic, layer);
  const layers = orderLayers(proper);
  const middle = placeAcross(layers, proper);
  const widths = layers.map((members) => members.reduce((most, node) => Math.max(most, nodes[node]?.width ?? 0), 0));
  const lefts: number[] = [];
  widths.reduce((x, width) => {
    lefts.push(x);
    return x + width + LAYER_GAP;
  }, 0);
  const layerOf = new Int32Array(proper.heights.length);
  layers.forEach((members, at) => members.forEach((node) => (layerOf[node] = at)));
  const top = proper.heights.reduce((least, height, node) => Math.min(least, middle[node] - height / 2), Infinity);
  const places = nodes.map(({ height }, node) => ({ x: lefts[layerOf[node]], y: middle[node] - height / 2 - top }));
  const bottom = places.reduce((most, { y }, node) => Math.max(most, y + nodes[node].height), 0);
  const last = widths.length - 1;
  const routeOf = (chain: readonly number[]): Point[] =>
    chain.flatMap((node, at) => {
      const y = middle[node] - top;
      const left = lefts[layerOf[node]];
      const right = left + (nodes[node]?.width ?? widths[layerOf[node]]);
      if (at === 0) return [{ x: right, y }];
      if (at === chain.length - 1) return [{ x: left, y }];
      return [{ x: left, y }, { x: left + widths[layerOf[node]], y }];
    });
  let next = 0;
  const routes = edges.map(({ from, to }) => {
    if (from === to) return [];
    const chain = proper.chains[next++];
    const route = routeOf(chain);
    return chain[0] === from ? route : route.toReversed();
  });
  return { places, routes, width: lefts[last] + widths[last], height: bottom };
}
