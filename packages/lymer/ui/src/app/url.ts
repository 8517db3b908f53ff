/** State in the address, both ways: what is written there is shown, whoever wrote it. */

import { useCallback, useMemo } from "react";
import { useSearch } from "wouter";
import { navigate } from "wouter/use-browser-location";

import { patchParams, queryText, readParams, type Schema, type Values } from "../model/params.ts";

/** `push` makes a step that Back undoes, `replace` does not. */
export type Step = "push" | "replace";

export type SetParams<S extends Schema> = (patch: Partial<Values<S>>, step?: Step) => void;

/** Go to the present page with other parameters; nothing happens if they are the same. */
export function writeQuery(params: URLSearchParams, step: Step): void {
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
      writeQuery(patchParams(schema, now, patch), step);
    },
    [schema],
  );
  return [values, set];
}
