/** Costs of operations of two sets of traces, side by side: what takes more time for each trace. */

import type { Shape } from "./wire.ts";

type Profile = Shape<"Profile">;
type Cost = Profile["operations"][number];

export interface CostDelta {
  readonly service: string;
  readonly operation: string;
  /** Nanoseconds for each trace that are there because calls take longer or are made more often. */
  readonly change: number;
  /** Nanoseconds of self time for each trace; 0 where it is not there. */
  readonly self: number;
  readonly selfBefore: number;
  /** Calls for each trace. */
  readonly calls: number;
  readonly callsBefore: number;
  readonly p95: number | null;
  readonly p95Before: number | null;
  /** 0 to 1. */
  readonly errors: number;
  readonly errorsBefore: number;
}

function key({ service, operation }: { readonly service: string; readonly operation: string }): string {
  return JSON.stringify([service, operation]);
}

function selfPerTrace(cost: Cost | undefined, profile: Profile): number {
  return cost ? cost.selfNano / Math.max(1, profile.sample.traces) : 0;
}

/** One path of calls: how often, and the time it takes by itself. */
interface PathCost {
  readonly name: string;
  readonly spans: number;
  readonly self: number;
  /** Calls of the path above it; null at the top. */
  readonly above: number | null;
}

function pathsOf({ tree, names }: Profile): { readonly order: readonly string[]; readonly costs: ReadonlyMap<string, PathCost> } {
  const order: string[] = [];
  const costs = new Map<string, PathCost>();
  for (let at = 0; at < tree.parent.length; at++) {
    const parent = tree.parent[at];
    const name = JSON.stringify(names[tree.name[at]]);
    order.push(parent < 0 ? name : `${order[parent]} ${name}`);
    costs.set(order[at], { name, spans: tree.spans[at], self: tree.selfNano[at], above: parent < 0 ? null : tree.spans[parent] });
  }
  return { order, costs };
}

/**
 * Return what of a path's time is there because its calls take longer, or are made more often by
 * what makes them. Requests of one kind that only become more frequent change nothing.
 */
function changeOf(now: PathCost | undefined, before: PathCost | undefined, aboveNow: number | null): number {
  const each = (one: PathCost): number => one.self / Math.max(1, one.spans);
  const rate = (one: PathCost | undefined): number => (one && one.above !== null ? one.spans / Math.max(1, one.above) : 0);
  if (now && before) {
    const slower = now.spans * (each(now) - each(before));
    return slower + (now.above === null ? 0 : now.above * (rate(now) - rate(before)) * each(before));
  }
  if (now) return now.above === null ? 0 : now.self;
  return before && aboveNow !== null && before.above !== null ? -aboveNow * rate(before) * each(before) : 0;
}

/** Return the change of every path of either side, nanoseconds of all traces of `now` together. */
function pathChanges(now: Profile, before: Profile): ReadonlyMap<string, { readonly name: string; readonly change: number }> {
  const [mine, other] = [pathsOf(now).costs, pathsOf(before).costs];
  const found = new Map<string, { readonly name: string; readonly change: number }>();
  for (const [path, cost] of mine) found.set(path, { name: cost.name, change: changeOf(cost, other.get(path), cost.above) });
  for (const [path, cost] of other) {
    if (mine.has(path)) continue;
    const above = mine.get(path.slice(0, path.length - cost.name.length - 1));
    found.set(path, { name: cost.name, change: changeOf(undefined, cost, above?.spans ?? null) });
  }
  return found;
}

/** Return every operation of either side, the largest change first. */
export function costDeltas(now: Profile, before: Profile): CostDelta[] {
  const old = new Map(before.operations.map((one) => [key(one), one]));
  const changes = new Map<string, number>();
  for (const { name, change } of pathChanges(now, before).values()) changes.set(name, (changes.get(name) ?? 0) + change);
  const both = new Map<string, readonly [Cost | undefined, Cost | undefined]>();
  for (const one of now.operations) both.set(key(one), [one, old.get(key(one))]);
  for (const [name, one] of old) if (!both.has(name)) both.set(name, [undefined, one]);
  return [...both.entries()]
    .map(([name, [one, other]]): CostDelta => {
      const named = one ?? other;
      return {
        service: named?.service ?? "",
        operation: named?.operation ?? "",
        change: (changes.get(name) ?? 0) / Math.max(1, now.sample.traces),
        self: selfPerTrace(one, now),
        selfBefore: selfPerTrace(other, before),
        calls: one?.perTrace ?? 0,
        callsBefore: other?.perTrace ?? 0,
        p95: one?.p95Nano ?? null,
        p95Before: other?.p95Nano ?? null,
        errors: one ? one.errors / Math.max(1, one.spans) : 0,
        errorsBefore: other ? other.errors / Math.max(1, other.spans) : 0,
      };
    })
    .toSorted((a, b) => Math.abs(b.change) - Math.abs(a.change));
}

/** A path grew if a sixth of its time is new, and that is no trifle of all time. */
const GROWN_PART = 1 / 6;
const TRIFLE = 0.005;

/** Return for each merged path whether its own time grew by a fifth at least. */
export function grownPaths(now: Profile, before: Profile): boolean[] {
  const changes = pathChanges(now, before);
  const whole = now.tree.selfNano.reduce((sum, self) => sum + self, 0);
  return pathsOf(now).order.map((path, at) => {
    const change = changes.get(path)?.change ?? 0;
    return change > now.tree.selfNano[at] * GROWN_PART && change > whole * TRIFLE;
  });
}
