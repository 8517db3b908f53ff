/** Force-directed layout: linked nodes attract, all repel; the same graph always looks the same. */

import type { GraphLayout, LayoutEdge, LayoutNode, Point } from "./layered.ts";

const IDEAL_PX = 190;
/** About this many pairs of nodes are looked at in all, so that large graphs do not take longer. */
const PAIRS_MAX = 12_000_000;
const STEPS_MAX = 320;

/** Start on a sunflower: evenly spread, without chance. */
function sunflower(count: number): Point[] {
  return Array.from({ length: count }, (_, at) => {
    const radius = (IDEAL_PX / 2) * Math.sqrt(at + 0.5);
    const angle = at * 2.399963;
    return { x: radius * Math.cos(angle), y: radius * Math.sin(angle) };
  });
}

export function forceLayout(nodes: readonly LayoutNode[], edges: readonly LayoutEdge[]): GraphLayout {
  const count = nodes.length;
  if (count === 0) return { places: [], routes: [], width: 0, height: 0 };
  const degree = new Int32Array(count);
  for (const { from, to } of edges) {
    degree[from]++;
    degree[to]++;
  }
  const order = Array.from({ length: count }, (_, node) => node).sort((a, b) => degree[b] - degree[a] || a - b);
  const start = sunflower(count);
  const x = new Float64Array(count);
  const y = new Float64Array(count);
  order.forEach((node, place) => {
    x[node] = start[place].x;
    y[node] = start[place].y;
  });
  const steps = Math.max(30, Math.min(STEPS_MAX, Math.floor(PAIRS_MAX / (count * count))));
  const dx = new Float64Array(count);
  const dy = new Float64Array(count);
  for (let step = 0; step < steps; step++) {
    dx.fill(0);
    dy.fill(0);
    for (let a = 0; a < count; a++) {
      for (let b = a + 1; b < count; b++) {
        const awayX = x[a] - x[b] || 0.1;
        const awayY = (y[a] - y[b]) * 1.6; // labels are wide and low
        const force = (IDEAL_PX * IDEAL_PX) / (awayX * awayX + awayY * awayY + 1);
        dx[a] += awayX * force;
        dy[a] += awayY * force;
        dx[b] -= awayX * force;
        dy[b] -= awayY * force;
      }
      dx[a] -= x[a] * 0.9; // unconnected parts stay near
      dy[a] -= y[a] * 0.9;
    }
    for (const { from, to } of edges) {
      const awayX = x[from] - x[to];
      const awayY = y[from] - y[to];
      const force = Math.hypot(awayX, awayY) / IDEAL_PX;
      dx[from] -= awayX * force;
      dy[from] -= awayY * force;
      dx[to] += awayX * force;
      dy[to] += awayY * force;
    }
    const reach = IDEAL_PX * 0.5 * (1 - step / steps) + 1;
    for (let node = 0; node < count; node++) {
      const length = Math.hypot(dx[node], dy[node]) || 1;
      x[node] += (dx[node] / length) * Math.min(length, reach);
      y[node] += (dy[node] / length) * Math.min(length, reach);
    }
  }
  separate(nodes, x, y);
  return finish(nodes, edges, x, y);
}

/** Push apart what still overlaps, a few times over. */
function separate(nodes: readonly LayoutNode[], x: Float64Array, y: Float64Array): void {
  for (let round = 0; round < 40; round++) {
    let moved = false;
    for (let a = 0; a < nodes.length; a++) {
      for (let b = a + 1; b < nodes.length; b++) {
        const overX = (nodes[a].width + nodes[b].width) / 2 + 12 - Math.abs(x[a] - x[b]);
        const overY = (nodes[a].height + nodes[b].height) / 2 + 10 - Math.abs(y[a] - y[b]);
        if (overX <= 0 || overY <= 0) continue;
        moved = true;
        if (overY < overX) {
          const push = ((y[a] < y[b] ? -1 : 1) * overY) / 2;
          y[a] += push;
          y[b] -= push;
        } else {
          const push = ((x[a] < x[b] ? -1 : 1) * overX) / 2;
          x[a] += push;
          x[b] -= push;
        }
      }
    }
    if (!moved) return;
  }
}

/** Where the line from the middle of a node to a point leaves the node. */
function border(node: LayoutNode, middle: Point, to: Point): Point {
  const dx = to.x - middle.x;
  const dy = to.y - middle.y;
  const scale = Math.min(
    dx === 0 ? Infinity : node.width / 2 / Math.abs(dx),
    dy === 0 ? Infinity : node.height / 2 / Math.abs(dy),
    1,
  );
  return { x: middle.x + dx * scale, y: middle.y + dy * scale };
}

function finish(nodes: readonly LayoutNode[], edges: readonly LayoutEdge[], x: Float64Array, y: Float64Array): GraphLayout {
  const left = nodes.reduce((least, { width }, node) => Math.min(least, x[node] - width / 2), Infinity);
  const top = nodes.reduce((least, { height }, node) => Math.min(least, y[node] - height / 2), Infinity);
  const places = nodes.map(({ width, height }, node) => ({ x: x[node] - width / 2 - left, y: y[node] - height / 2 - top }));
  const middle = nodes.map((_, node) => ({ x: x[node] - left, y: y[node] - top }));
  const routes = edges.map(({ from, to }) =>
    from === to ? [] : [border(nodes[from], middle[from], middle[to]), border(nodes[to], middle[to], middle[from])],
  );
  return {
    places,
    routes,
    width: places.reduce((most, place, node) => Math.max(most, place.x + nodes[node].width), 0),
    height: places.reduce((most, place, node) => Math.max(most, place.y + nodes[node].height), 0),
  };
}
