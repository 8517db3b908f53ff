/** Layouts keep boxes apart and say the same twice; graphs are cut as asked. */

import { describe, expect, test } from "vitest";

import { aroundService, busyPart, readGraph } from "../src/model/callGraph.ts";
import { deepGraph, type Density } from "../src/model/deepPaths.ts";
import { forceLayout } from "../src/model/force.ts";
import { layeredLayout, spread, type GraphLayout, type LayoutEdge, type LayoutNode } from "../src/model/layered.ts";

function randomGraph(seed: number, count: number): { nodes: LayoutNode[]; edges: LayoutEdge[] } {
  let state = seed;
  const below = (limit: number): number => {
    state = (state * 48271) % 2147483647;
    return state % limit;
  };
  return {
    nodes: Array.from({ length: count }, () => ({ width: 80 + below(120), height: 30 + below(30) })),
    edges: Array.from({ length: count * 2 }, () => ({ from: below(count), to: below(count) })),
  };
}

function overlaps(nodes: readonly LayoutNode[], { places }: GraphLayout): number {
  let count = 0;
  for (let a = 0; a < nodes.length; a++) {
    for (let b = a + 1; b < nodes.length; b++) {
      const x = Math.min(places[a].x + nodes[a].width, places[b].x + nodes[b].width) - Math.max(places[a].x, places[b].x);
      const y = Math.min(places[a].y + nodes[a].height, places[b].y + nodes[b].height) - Math.max(places[a].y, places[b].y);
      if (x > 0.5 && y > 0.5) count++;
    }
  }
  return count;
}

describe.each([["layered", layeredLayout], ["force", forceLayout]] as const)("the %s layout", (_, layout) => {
  test("has nothing to do for nothing", () => {
    expect(layout([], [])).toEqual({ places: [], routes: [], width: 0, height: 0 });
    expect(layout([{ width: 10, height: 10 }], [{ from: 0, to: 0 }]).places).toHaveLength(1);
  });

  test("keeps boxes apart, whatever the links", () => {
    for (let seed = 1; seed <= 25; seed++) {
      const { nodes, edges } = randomGraph(seed, 3 + seed);
      const made = layout(nodes, edges);
      expect(overlaps(nodes, made)).toBe(0);
      expect(made.routes).toHaveLength(edges.length);
      for (const { x, y } of made.places) expect(Number.isFinite(x + y) && x >= -0.5 && y >= -0.5).toBe(true);
    }
  });

  test("says the same twice", () => {
    const { nodes, edges } = randomGraph(7, 20);

    expect(layout(nodes, edges)).toEqual(layout(nodes, edges));
  });
});

test("without a cycle, who is called stands to the right of the caller", () => {
  const nodes = Array.from({ length: 30 }, () => ({ width: 100, height: 30 }));
  const edges = nodes.slice(1).map((_, at) => ({ from: Math.floor(at / 2), to: at + 1 }));
  const { places } = layeredLayout(nodes, edges);

  for (const { from, to } of edges) expect(places[to].x).toBeGreaterThan(places[from].x + 100);
});

test("300 services are laid out within a second", () => {
  const { nodes } = randomGraph(3, 300);
  const edges = Array.from({ length: 600 }, (_, at) => ({ from: Math.floor(at / 2.2), to: Math.min(299, Math.floor(at / 2) + 1 + (at % 7)) }));
  const start = performance.now();
  layeredLayout(nodes, edges);

  expect(performance.now() - start).toBeLessThan(3000); // measured 0.1 s; a busy machine is no fault
});

test("places are kept in order and apart, near what was wished", () => {
  expect(spread([0, 0, 0], [10, 10])).toEqual([-10, 0, 10]);
  expect(spread([0, 100], [10])).toEqual([0, 100]);
  expect(spread([50, 0], [10])).toEqual([20, 30]);
});

describe("the calls between services", () => {
  const figures = (calls: number) => ({ calls, errors: 1, avgNano: 6, p50Nano: 5, p95Nano: null, p99Nano: 9, spans: calls });
  const graph = readGraph({
    startUnixNano: "0", endUnixNano: "1", estimated: false,
    nodes: [
      { id: "web", name: "web", kind: "service", ...figures(0) },
      { id: "shop", name: "shop", kind: "service", ...figures(103) },
      { id: "db", name: "db", kind: "database", ...figures(45) },
      { id: "mail", name: "mail", kind: "external", ...figures(1) },
      { id: "batch", name: "batch", kind: "service", ...figures(0) },
    ],
    edges: [
      { from: "web", to: "shop", type: "link", ...figures(7) },
      { from: "web", to: "shop", type: "call", ...figures(100) },
      { from: "shop", to: "db", type: "call", ...figures(40) },
      { from: "shop", to: "mail", type: "call", ...figures(1) },
      { from: "batch", to: "db", type: "call", ...figures(5) },
      { from: "shop", to: "shop", type: "call", ...figures(3) },
    ],
  });
  const names = (part: typeof graph): string[] => part.nodes.map(({ name }) => name).sort();

  test("have one edge between two, with its figures", () => {
    expect(graph.edges.filter(({ to }) => to === "shop")).toEqual([
      { from: "web", to: "shop", calls: 100, errors: 1, p50: 5, p95: null, p99: 9 },
      { from: "shop", to: "shop", calls: 3, errors: 1, p50: 5, p95: null, p99: 9 },
    ]);
  });

  test("around a service hold its callers and callees, not their other callers", () => {
    expect(names(aroundService(graph, "shop", 1))).toEqual(["db", "mail", "shop", "web"]);
    expect(names(aroundService(graph, "web", 1))).toEqual(["shop", "web"]);
    expect(names(aroundService(graph, "web", 0))).toEqual(["db", "mail", "shop", "web"]);
    expect(aroundService(graph, "nobody", 1)).toBe(graph);
  });

  test("lose what is rare", () => {
    expect(names(busyPart(graph, 40))).toEqual(["db", "shop", "web"]);
  });
});

test("ways are merged by distance from the service looked at", () => {
  const step = (service: string, operation = "op") => ({ service, operation });
  const paths = [
    { path: [step("web"), step("shop", "pay"), step("db")], count: 3, traceIds: ["1"] },
    { path: [step("app"), step("shop", "list"), step("db"), step("disk")], count: 2, traceIds: ["2"] },
    { path: [step("web"), step("other")], count: 9, traceIds: ["3"] },
  ];
  const all = deepGraph(paths, { service: "shop", operation: "", operations: false, density: "per-level", up: 5, down: 1 });

  expect(all.nodes.map(({ service, hop, count }) => [service, hop, count])).toEqual([
    ["web", -1, 3],
    ["shop", 0, 5],
    ["db", 1, 5],
    ["app", -1, 2],
  ]);
  expect(all).toMatchObject({ up: 1, down: 2 });
  const inner = [{ path: [step("web"), step("shop", "in"), step("shop", "pay"), step("db")], count: 1, traceIds: [] }];
  const merged = deepGraph(inner, { service: "shop", operation: "pay", operations: false, density: "per-level", up: 9, down: 9 });
  expect(merged.nodes.map(({ service, hop }) => [service, hop])).toEqual([["web", -1], ["shop", 0], ["db", 1]]);
  const one = deepGraph(paths, { service: "shop", operation: "pay", operations: true, density: "per-level", up: 0, down: 9 });
  expect(one.nodes.map(({ service, operation }) => [service, operation])).toEqual([["shop", "pay"], ["db", "op"]]);
});

describe("which places on ways are one box, as Jaeger's densities say", () => {
  const step = (service: string, operation = "op") => ({ service, operation });
  const way = (...services: string[]) => ({ path: services.map((one) => step(one)), count: 1, traceIds: [] });
  // Three ways past b: a two steps after it, and before it; c right after it and two after it, at an end and inside.
  const ways = [way("a", "b", "c", "d"), way("x", "b", "d", "c"), way("x", "b", "c"), way("b", "e", "a")];
  const boxes = (density: Density): string[] =>
    deepGraph(ways, { service: "b", operation: "", operations: false, density, up: 9, down: 9 })
      .nodes.map(({ service, hop }) => `${service}${hop}`)
      .toSorted();

  test.each<[Density, string[]]>([
    ["mc", ["a-1", "b0", "c1", "d2", "e1", "x-1"]],
    ["up-vs-down", ["a-1", "a2", "b0", "c1", "d2", "e1", "x-1"]],
    ["per-level", ["a-1", "a2", "b0", "c1", "c2", "d1", "d2", "e1", "x-1"]],
    ["ppe", ["a-1", "a2", "b0", "c1", "c2", "d1", "d2", "e1", "x-1"]],
    ["ext-vs-int", ["a-1", "a2", "b0", "c1", "c1", "c2", "d1", "d2", "e1", "x-1"]],
  ])("%s", (density, expected) => {
    expect(boxes(density)).toEqual(expected);
  });

  test("ways that part stay apart in ppe and meet again per level", () => {
    const parted = [way("b", "c", "z"), way("b", "d", "z")];
    const count = (density: Density): number =>
      deepGraph(parted, { service: "b", operation: "", operations: false, density, up: 2, down: 2 }).nodes.length;

    expect([count("ppe"), count("per-level"), count("mc")]).toEqual([5, 4, 4]);
  });

  test("a way that comes back is counted once for each box, and a box does not lead to itself", () => {
    const { nodes, edges } = deepGraph([{ ...way("b", "c", "b", "c"), count: 7 }], {
      service: "b", operation: "", operations: false, density: "mc", up: 9, down: 9,
    });

    expect(nodes.map(({ service, count }) => [service, count])).toEqual([["b", 7], ["c", 7]]);
    expect(edges.every(({ from, to, count }) => from !== to && count === 7)).toBe(true);
  });

  test("the service looked at has no operation of its own if it has several", () => {
    const several = [{ path: [step("b", "x"), step("c")], count: 1, traceIds: [] }, { path: [step("b", "y")], count: 1, traceIds: [] }];
    const [focus, next] = deepGraph(several, { service: "b", operation: "", operations: true, density: "ppe", up: 2, down: 2 }).nodes;

    expect([focus.operation, next.operation]).toEqual(["", "op"]);
  });
});
