/** What shows why: costs against before, peers, exceptions, commands, what is copied. */

import { execFileSync } from "node:child_process";

import { describe, expect, it } from "vitest";

import { slowdown } from "../src/model/callGraph.ts";
import { opensPalette, rank } from "../src/model/commands.ts";
import { costDeltas, grownPaths } from "../src/model/costDelta.ts";
import { readExceptions } from "../src/model/exceptions.ts";
import { peersOf } from "../src/model/peers.ts";
import { cliCommand, curlCommand, shellQuoted } from "../src/model/share.ts";
import { SNIPPETS, snippetOf } from "../src/pages/search/snippets.ts";

type Profile = Parameters<typeof costDeltas>[0];

/** A profile of operations `name: [self, spans]` over so many traces, each a path of its own. */
function profile(traces: number, costs: Readonly<Record<string, readonly [number, number]>>): Profile {
  const entries = Object.entries(costs);
  return {
    sample: { spans: 0, traces, ofSpans: 0, ofTraces: traces },
    operations: entries.map(([operation, [selfNano, spans]]) => ({
      service: "shop", operation, spans, traces, errors: 0, totalNano: selfNano, selfNano, criticalNano: 0,
      p50Nano: 1, p95Nano: 2, p99Nano: 3, perTrace: spans / traces, perSecond: 1, selfErrorNano: 0,
    })),
    names: entries.map(([operation]) => ["shop", operation]),
    tree: {
      parent: entries.map(() => -1), name: entries.map((_, at) => at), spans: entries.map(([, [, spans]]) => spans),
      traces: entries.map(() => traces), errors: entries.map(() => 0), totalNano: entries.map(([, [self]]) => self),
      selfNano: entries.map(([, [self]]) => self), criticalNano: entries.map(() => 0),
    },
    pathsLeftOut: 0,
    by: [],
    rowsLeftOut: 0,
  };
}

describe("costs of two sets of traces", () => {
  /** A request that calls `db`: its requests, calls of each, own nanoseconds of each call. */
  function calling(traces: number, requests: number, calls: number, each: number): Profile {
    const made = profile(traces, { request: [requests * 1000, requests], db: [requests * calls * each, requests * calls], other: [(traces - requests) * 500, traces - requests] });
    return { ...made, tree: { ...made.tree, parent: [-1, 0, -1] } };
  }
  const before = calling(100, 20, 1, 100);

  it("say nothing of requests that only became more frequent", () => {
    for (const { change } of costDeltas(calling(100, 80, 1, 100), before)) expect(change).toBeCloseTo(0);
    expect(grownPaths(calling(100, 80, 1, 100), before)).toEqual([false, false, false]);
  });

  it("name what takes longer, and what is called more often", () => {
    const [slower] = costDeltas(calling(100, 20, 1, 9000), before);
    expect(slower).toMatchObject({ operation: "db" });
    expect(slower.change).toBeCloseTo((20 * 8900) / 100);
    const [often] = costDeltas(calling(100, 20, 50, 100), before);
    expect(often).toMatchObject({ operation: "db", calls: 10, callsBefore: 0.2 });
    expect(often.change).toBeCloseTo((20 * 49 * 100) / 100);
    expect(grownPaths(calling(100, 20, 50, 100), before)).toEqual([false, true, false]);
  });

  it("know what is new below something, and what is gone", () => {
    const without = calling(100, 20, 1, 100);
    const bare: Profile = { ...without, operations: without.operations.filter(({ operation }) => operation !== "db"), tree: { ...without.tree, parent: [-1, -1], name: [0, 2], spans: [20, 80], selfNano: [20_000, 40_000] } };
    expect(costDeltas(before, bare)[0]).toMatchObject({ operation: "db", change: 20, selfBefore: 0 });
    expect(costDeltas(bare, before)[0]).toMatchObject({ operation: "db", change: -20, self: 0 });
  });
});

describe("a span among its peers", () => {
  const wire = (rows: readonly number[], spans: readonly number[]) => ({
    startUnixNano: "0", stepNano: 1, perOctave: 4, column: rows.map(() => 0), row: rows, spans, errors: rows.map(() => 0), complete: true, reason: "",
  });

  it("knows how many are faster", () => {
    const peers = peersOf(wire([80, 84, 100], [90, 9, 1]), 2 ** 25);
    expect(peers).toMatchObject({ spans: 100, own: 20 });
    expect(peers?.faster).toBeCloseTo(0.995);
    expect(peersOf(wire([80, 84], [50, 50]), 2 ** 20)?.faster).toBeCloseTo(0.25);
    expect(peersOf(wire([80], [100]), 1)?.faster).toBe(0);
  });

  it("is not judged by a few", () => {
    expect(peersOf(wire([80], [9]), 2 ** 20)).toBeNull();
    expect(peersOf(wire([], []), 5)).toBeNull();
  });
});

it("exceptions are grouped, the most frequent first, and those that never came are left out", () => {
  const one = (service: string, type: string, values: readonly number[]) => ({
    labels: [
      { key: "resource.service.name", value: { stringValue: service } },
      { key: "event.exception.type", value: { stringValue: type } },
      { key: "statusMessage", value: { stringValue: "" } },
    ],
    samples: values.map((value, at) => ({ timestampMs: String(at), value })),
  });
  const groups = readExceptions([one("a", "nil", [0, 0]), one("a", "nil", [1, 2]), one("b", "CardError", [5, 5])]);
  expect(groups.map(({ service, type, count }) => [service, type, count])).toEqual([["b", "CardError", 10], ["a", "", 3]]);
});

describe("the command palette", () => {
  const all = ["Search", "Diagnosis", "checkout", "payment"].map((label) => ({ label, detail: label === "Search" ? "page" : "service", href: "/" }));

  it("finds by all words, beginnings first", () => {
    expect(rank(all, "").length).toBe(4);
    expect(rank(all, "pay serv").map(({ label }) => label)).toEqual(["payment"]);
    expect(rank(all, "s").map(({ label }) => label)[0]).toBe("Search");
    expect(rank(all, "zzz")).toEqual([]);
  });

  it("opens by the place of the key, so with a Korean layout, too", () => {
    const press = { code: "KeyK", key: "ㅏ", ctrlKey: true, metaKey: false, altKey: false, shiftKey: false };
    expect(opensPalette(press)).toBe(true);
    expect(opensPalette({ ...press, ctrlKey: false, metaKey: true })).toBe(true);
    expect(opensPalette({ ...press, ctrlKey: false })).toBe(false);
    expect(opensPalette({ ...press, code: "KeyL" })).toBe(false);
  });
});

describe("what is copied for a terminal", () => {
  const ask = { query: `{ name = "it's $HOME \`id\` \\\\" }`, start: 1_700_000_000_000_000, end: 1_700_000_900_000_000 };

  it("is read by a shell as it was meant, whatever it holds", () => {
    for (const text of [ask.query, "'", "a'b\nc", "", "$(reboot)"]) {
      expect(execFileSync("sh", ["-c", `printf %s ${shellQuoted(text)}`]).toString()).toBe(text);
    }
  });

  it("asks the same question", () => {
    expect(curlCommand("http://h:1", ask, 20)).toContain("start=1700000000000000 -d end=1700000900000000");
    expect(cliCommand("http://h:1", ask, 20)).toContain("--since 900s --end 1700000900000000");
  });
});

it("every language's snippet names the service and where to send", () => {
  for (const kind of SNIPPETS) {
    const text = snippetOf(kind, { grpc: "http://h:4317", http: "http://h:4318" });
    expect(text).toContain("OTEL_SERVICE_NAME=my-service");
    expect(text).toMatch(/OTEL_EXPORTER_OTLP_ENDPOINT=http:\/\/h:431[78]/);
  }
});

it("a map says slower only where enough was called", () => {
  const node = { id: "a", name: "a", kind: "service" as const, calls: 100, errors: 0, p50: 1, p95: 300, p99: 4 };
  expect(slowdown({ ...node, before: { calls: 100, errors: 0, p95: 200 } })).toBeCloseTo(1.5);
  expect(slowdown({ ...node, before: { calls: 3, errors: 0, p95: 200 } })).toBeNull();
  expect(slowdown({ ...node, before: null })).toBeNull();
  expect(slowdown(node)).toBeNull();
});
