/** Self time, critical path, statistics and merged paths, also against slow and simple versions of them. */

import { describe, expect, test } from "vitest";

import { Analysis } from "../src/model/analysis.ts";
import type { TraceColumns } from "../src/model/columns.ts";
import { diffKind, diffPaths, flameRects } from "../src/model/paths.ts";
import { sortStats, statGroups } from "../src/model/statistics.ts";
import { buildTree } from "../src/model/tree.ts";
import { makeTrace, randomSpans } from "./make.ts";

function analysed(trace: TraceColumns): Analysis {
  return new Analysis(trace, buildTree(trace));
}

/** Self time by marking every nanosecond. */
function slowSelf(trace: TraceColumns, span: number): number {
  const free = new Uint8Array(trace.duration[span]).fill(1);
  for (let child = 0; child < trace.count; child++) {
    if (trace.parent[child] !== span) continue;
    const from = trace.start[child] - trace.start[span];
    free.fill(0, Math.max(0, from), Math.max(0, from + trace.duration[child]));
  }
  return free.reduce((sum, flag) => sum + flag, 0);
}

describe("self time", () => {
  test("is what no child covers, overlaps counted once, children cut to the span", () => {
    const trace = makeTrace([
      { start: 0, duration: 100 },
      { parent: 0, start: 10, duration: 30 },
      { parent: 0, start: 20, duration: 40 },
      { parent: 0, start: 90, duration: 50 },
      { parent: 1, start: 12, duration: 5 },
    ]);

    expect([...analysed(trace).self]).toEqual([40, 25, 40, 50, 5]);
  });

  test("agrees with counting nanoseconds", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const trace = makeTrace(randomSpans(seed, 40));
      const own = analysed(trace).self;
      for (let span = 0; span < trace.count; span++) expect(own[span]).toBe(slowSelf(trace, span));
    }
  });
});

describe("the critical path", () => {
  test("goes back from the end through the child that finished last", () => {
    const trace = makeTrace([
      { start: 0, duration: 100 },
      { parent: 0, start: 10, duration: 30 },
      { parent: 0, start: 20, duration: 50 },
      { parent: 0, start: 60, duration: 30 },
    ]);
    const path = analysed(trace).critical;
    const sections = [...path.span].map((span, at) => [span, path.from[at], path.to[at]]);

    expect(sections).toEqual([
      [0, 90, 100],
      [3, 60, 90],
      [0, 40, 60],
      [1, 10, 40],
      [0, 0, 10],
    ]);
  });

  test("does not wait for what a consumer does", () => {
    const spans = makeTrace([{ duration: 100 }, { parent: 0, start: 50, duration: 40 }]);
    const trace = { ...spans, kind: Uint8Array.from([4, 5]) };

    expect([...analysed(trace).critical.bySpan]).toEqual([100, 0]);
  });

  test("covers each root exactly, without gap or overlap", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const trace = makeTrace(randomSpans(seed, 50));
      const path = analysed(trace).critical;
      const total = path.bySpan.reduce((sum, nanos) => sum + nanos, 0);
      const roots = trace.parent.reduce((sum, parent, span) => (parent < 0 ? sum + trace.duration[span] : sum), 0);
      expect(total).toBe(roots);
      for (let span = 0; span < trace.count; span++) {
        let sum = 0;
        let last = -1;
        for (let at = path.firstOf[span]; at < path.firstOf[span + 1]; at++) {
          const section = path.byStart[at];
          expect(path.span[section]).toBe(span);
          expect(path.from[section]).toBeGreaterThanOrEqual(last);
          last = path.to[section];
          sum += path.to[section] - path.from[section];
        }
        expect(sum).toBe(path.bySpan[span]);
      }
    }
  });

  test("of a chain of 200,000 spans needs no stack", () => {
    const depth = 200_000;
    const trace = makeTrace(
      Array.from({ length: depth }, (_, span) => ({ parent: span - 1, start: span, duration: depth * 2 - span * 2 })),
    );
    const { critical, self, paths } = analysed(trace);

    expect(critical.span.length).toBeGreaterThan(depth);
    expect(self[0]).toBe(2);
    expect(paths).toHaveLength(depth);
    expect(flameRects(paths, -1)).toHaveLength(depth);
  });
});

describe("statistics", () => {
  const trace = makeTrace([
    { service: "a", duration: 100 },
    { service: "b", parent: 0, start: 10, duration: 20, error: true },
    { service: "b", parent: 0, start: 40, duration: 30 },
  ]);
  const { self, critical } = analysed(trace);
  const nameOf = (span: number): string | null => (span === 2 ? null : trace.services[trace.service[span]]);
  const groups = statGroups(trace, { self, critical: critical.bySpan }, [0, 1, 2], nameOf);

  test("sum and bound each group", () => {
    expect(groups.find(({ name }) => name === "a")).toMatchObject({ count: 1, total: 100, selfTotal: 50, criticalTotal: 50 });
    expect(groups.find(({ name }) => name === "b")).toMatchObject({ count: 1, errors: 1, min: 20, max: 20 });
  });

  test("keep the spans without the attribute last in every order", () => {
    for (const descending of [true, false]) {
      expect(sortStats(groups, "total", descending, 100).at(-1)?.name).toBeNull();
    }
  });
});

describe("merged paths", () => {
  const trace = makeTrace([
    { service: "a", name: "root", start: 0, duration: 100 },
    { service: "b", name: "call", parent: 0, start: 0, duration: 10 },
    { service: "b", name: "call", parent: 0, start: 20, duration: 30 },
    { service: "c", name: "query", parent: 2, start: 25, duration: 5 },
  ]);
  const { paths } = analysed(trace);

  test("join spans of one service and operation below the same path", () => {
    expect(paths.map(({ service, spans, total, self }) => [service, spans.length, total, self])).toEqual([
      ["a", 1, 100, 60],
      ["b", 2, 40, 35],
      ["c", 1, 5, 5],
    ]);
  });

  test("make rectangles that fit into their parents and fill the width", () => {
    const rects = flameRects(paths, -1);

    expect(rects[0]).toMatchObject({ node: 0, x: 0, width: 1 });
    for (const { node, x, width } of rects.slice(1)) {
      const above = rects.find((rect) => rect.node === paths[node].parent);
      expect(x).toBeGreaterThanOrEqual((above?.x ?? 0) - 1e-9);
      expect(x + width).toBeLessThanOrEqual((above?.x ?? 0) + (above?.width ?? 0) + 1e-9);
    }
  });

  test("are compared by path", () => {
    const other = analysed(
      makeTrace([
        { service: "a", name: "root", duration: 80 },
        { service: "b", name: "call", parent: 0, duration: 10 },
        { service: "d", name: "new", parent: 0, start: 20, duration: 10 },
      ]),
    ).paths;
    const diff = diffPaths(paths, other);

    expect(diff.map((node) => [node.service, node.before, node.after, diffKind(node)])).toEqual([
      ["a", 1, 1, "same"],
      ["b", 2, 1, "less"],
      ["c", 1, 0, "removed"],
      ["d", 0, 1, "added"],
    ]);
    expect(diffPaths(other, paths).map((node) => diffKind(node)).sort()).toEqual(["added", "more", "removed", "same"]);
  });
});
