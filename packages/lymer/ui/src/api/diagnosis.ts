/** Questions about many traces at once. */

import { queryOptions } from "@tanstack/react-query";

import type { PathNode } from "../model/paths.ts";
import { getJson } from "./client.ts";

export interface Sample {
  readonly spans: number;
  readonly traces: number;
  readonly ofSpans: number;
  readonly ofTraces: number;
}

export interface Fact {
  readonly scope: string;
  readonly key: string;
  readonly value: string;
}

/** A fact that a selection has more often than what it is compared with. */
export interface Finding extends Fact {
  readonly effect: number;
  readonly support: number;
  readonly sample: number;
  readonly inSelection: number;
  readonly inBaseline: number;
  readonly score: number;
  readonly along: readonly Fact[];
  readonly exampleTraceId?: string;
}

export interface Place {
  readonly service: string;
  readonly operation: string | null;
}

export type What = "slow" | "error" | "calls" | "network" | "queue";

export interface Candidate extends Place {
  readonly score: number;
  readonly evidence: {
    readonly what: What;
    readonly key: string | null;
    readonly value: string | null;
    readonly calls: string | null;
    readonly events: number;
    readonly chances: number;
    readonly usual: number;
    readonly attributes: readonly Finding[];
    readonly traceIds: readonly string[];
    readonly spreadThrough: readonly Place[];
  };
}

export interface RootCause {
  readonly start_unix_nano: number;
  readonly end_unix_nano: number;
  readonly candidates: readonly Candidate[];
  readonly byRule: readonly Place[];
  readonly sample: Sample;
}

export interface Explanation {
  readonly how: string;
  readonly selected: number;
  readonly baseline: number;
  readonly sample: Sample;
  readonly findings: readonly Finding[];
}

export interface OperationCost {
  readonly service: string;
  readonly operation: string;
  readonly spans: number;
  readonly traces: number;
  readonly errors: number;
  readonly totalNano: number;
  readonly selfNano: number;
  readonly criticalNano: number;
  readonly p50Nano: number;
  readonly p95Nano: number;
  readonly p99Nano: number;
  readonly perTrace: number;
  readonly perSecond: number;
  readonly selfErrorNano: number;
}

export interface Profile {
  readonly sample: Sample;
  readonly operations: readonly OperationCost[];
  readonly names: readonly (readonly [string, string])[];
  readonly tree: {
    readonly parent: readonly number[];
    readonly name: readonly number[];
    readonly spans: readonly number[];
    readonly errors: readonly number[];
    readonly totalNano: readonly number[];
    readonly selfNano: readonly number[];
    readonly criticalNano: readonly number[];
  };
  readonly pathsLeftOut: number;
}

export interface Change {
  readonly service: string;
  readonly operation: string;
  readonly what: "latency" | "rate" | "errors";
  readonly atUnixNano: number;
  readonly before: number;
  readonly after: number;
  readonly strength: number;
}

/** What is looked at, microseconds; and which spans of it. */
export interface DiagnosisAsk {
  readonly start: number;
  readonly end: number;
  readonly question: string;
  readonly slowest: string;
  readonly errors: boolean;
}

const API = "api/lymer/v1/diagnosis";

function path(name: string, ask: DiagnosisAsk, more: Readonly<Record<string, string>> = {}): string {
  const params = new URLSearchParams({ start: String(ask.start), end: String(ask.end), ...more });
  return `${API}/${name}?${params.toString()}`;
}

export function rootCauseQuery(ask: DiagnosisAsk, on: boolean) {
  return queryOptions({
    queryKey: ["root-cause", ask.start, ask.end],
    queryFn: async ({ signal }) => getJson<RootCause>(path("root-cause", ask), signal),
    enabled: on,
    staleTime: Infinity,
  });
}

export function explanationQuery(ask: DiagnosisAsk, on: boolean) {
  const more = {
    ...(ask.question ? { q: ask.question } : {}),
    ...(ask.slowest ? { slowest: ask.slowest } : {}),
    ...(ask.errors ? { errors: "true" } : {}),
  };
  return queryOptions({
    queryKey: ["explain", ask],
    queryFn: async ({ signal }) => getJson<Explanation>(path("explain", ask, more), signal),
    enabled: on,
    staleTime: Infinity,
  });
}

export function profileQuery(ask: DiagnosisAsk, on: boolean) {
  return queryOptions({
    queryKey: ["profile", ask.start, ask.end, ask.question],
    queryFn: async ({ signal }) =>
      getJson<Profile>(path("profile", ask, ask.question ? { q: ask.question } : {}), signal),
    enabled: on,
    staleTime: Infinity,
  });
}

export function changesQuery(ask: DiagnosisAsk, on: boolean) {
  return queryOptions({
    queryKey: ["changes", ask.start, ask.end],
    queryFn: async ({ signal }) => getJson<{ changes: readonly Change[] }>(path("changes", ask), signal),
    enabled: on,
    staleTime: Infinity,
  });
}

/** The merged paths of a profile as the flame graph draws them. */
export function pathNodes({ tree, names }: Profile): PathNode[] {
  const nodes: PathNode[] = [];
  for (let id = 0; id < tree.parent.length; id++) {
    const parent = tree.parent[id];
    const [service, operation] = names[tree.name[id]];
    nodes.push({
      id,
      parent,
      depth: parent < 0 ? 0 : nodes[parent].depth + 1,
      service,
      operation,
      children: [],
      spans: Array.from<number>({ length: tree.spans[id] }),
      total: tree.totalNano[id],
      self: tree.selfNano[id],
      critical: tree.criticalNano[id],
      errors: tree.errors[id],
    });
    if (parent >= 0) nodes[parent].children.push(id);
  }
  return nodes;
}
