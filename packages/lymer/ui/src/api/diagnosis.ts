/** Questions about many traces at once. */

import { queryOptions } from "@tanstack/react-query";

import type { PathNode } from "../model/paths.ts";
import type { Shape } from "../model/wire.ts";
import { api, told } from "./client.ts";

export type Sample = Shape<"Sample">;
/** A fact that a selection has more often than what it is compared with. */
export type Finding = Shape<"Difference">;
export type RootCause = Shape<"RootCause">;
export type Candidate = RootCause["candidates"][number];
export type What = Candidate["evidence"]["what"];
export type Explanation = Shape<"Explanation">;
export type Profile = Shape<"Profile">;
export type OperationCost = Profile["operations"][number];
export type Change = Shape<"Changes">["changes"][number];

/** What is looked at, microseconds; and which spans of it. */
export interface DiagnosisAsk {
  readonly start: number;
  readonly end: number;
  readonly question: string;
  readonly slowest: string;
  readonly errors: boolean;
}

export function rootCauseQuery(ask: DiagnosisAsk, on: boolean) {
  const { start, end } = ask;
  return queryOptions({
    queryKey: ["root-cause", start, end],
    queryFn: async ({ signal }) =>
      told(api.GET("/api/lymer/v1/diagnosis/root-cause", { params: { query: { start, end } }, signal })),
    enabled: on,
    staleTime: Infinity,
  });
}

export function explanationQuery(ask: DiagnosisAsk, on: boolean) {
  const { start, end, question, slowest, errors } = ask;
  const query = { start, end, ...(question && { q: question }), ...(slowest && { slowest }), ...(errors && { errors }) };
  return queryOptions({
    queryKey: ["explain", ask],
    queryFn: async ({ signal }) => told(api.GET("/api/lymer/v1/diagnosis/explain", { params: { query }, signal })),
    enabled: on,
    staleTime: Infinity,
  });
}

export function profileQuery(ask: DiagnosisAsk, on: boolean) {
  const { start, end, question } = ask;
  const query = { start, end, ...(question && { q: question }) };
  return queryOptions({
    queryKey: ["profile", start, end, question],
    queryFn: async ({ signal }) => told(api.GET("/api/lymer/v1/diagnosis/profile", { params: { query }, signal })),
    enabled: on,
    staleTime: Infinity,
  });
}

export function changesQuery(ask: DiagnosisAsk, on: boolean) {
  const { start, end } = ask;
  return queryOptions({
    queryKey: ["changes", start, end],
    queryFn: async ({ signal }) =>
      told(api.GET("/api/lymer/v1/diagnosis/changes", { params: { query: { start, end } }, signal })),
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
