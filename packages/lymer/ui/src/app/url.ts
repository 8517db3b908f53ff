/** State in the address, both ways: what is written there is shown, whoever wrote it. */

import { useCallback, useMemo } from "react";
import { useSearch } from "wouter";
import { navigate } from "wouter/use-browser-location";

import { patchParams, queryText, readParams, type Schema, type Values } from "../model/params.ts";

/** `push` makes a step that Back undoes, `replace` does not; a `run` of typing or dragging is one step. */
export type Step = "push" | "replace" | "run";

/** What follows within this time goes on with the same run, milliseconds. */
const RUN_MS = 1500;
const run = { of: "", at: Number.NEGATIVE_INFINITY, led: "" };

/** Return whether this change goes on with the last run: Back, or any other change, ends it. */
function goesOn(of: string): boolean {
  return of === run.of && performance.now() - run.at <= RUN_MS && window.location.href === run.led;
}

export type SetParams<S extends Schema> = (patch: Partial<Values<S>>, step?: Step) => void;

/** Go to the present page with other parameters; nothing happens if they are the same. */
export function writeQuery(params: URLSearchParams, step: "push" | "replace"): void {
  const query = queryText(params);
  const { pathname, search } = window.location;
  const next = query ? `?${query}` : "";
  if (next !== search) navigate(`${pathname}${next}`, { replace: step === "replace" });
}

/** Return the parameters of the present address and how to change them. `schema` is a constant. */
export function useParams<S extends Schema>(schema: S): readonly [Values<S>, SetParams<S>] {
  const search = useSearch();
  const values = useMemo(() => readParams(schema, new URLSearchParams(search)), [schema, search]);
  const set = useCallback<SetParams<S>>(
    (patch, step = "push") => {
      const now = new URLSearchParams(window.location.search);
      const of = Object.keys(patch).join();
      const first = step === "run" && !goesOn(of);
      writeQuery(patchParams(schema, now, patch), step === "push" || first ? "push" : "replace");
      if (step === "run") Object.assign(run, { of, at: performance.now(), led: window.location.href });
    },
    [schema],
  );
  return [values, set];
}
