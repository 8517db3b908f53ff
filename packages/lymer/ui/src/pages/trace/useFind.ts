/** Find in trace: names and ids at once, attributes as soon as somebody has looked into them. */

import { useDebouncedValue } from "@mantine/hooks";
import { useEffect, useMemo, useState } from "react";

import { findInColumns, parseFind } from "../../model/find.ts";
import type { IdList } from "../../model/spanIds.ts";
import type { ShownTrace } from "./context.ts";

export interface FindResult {
  /** The text this is the result of; what is typed now may be ahead of it. */
  readonly text: string;
  /** One flag per span. */
  readonly flags: Uint8Array;
  /** Rows that match, in order. */
  readonly rows: Int32Array;
  /** Whether somebody looks for something. */
  readonly active: boolean;
  readonly state: "done" | "busy" | "failed";
}

const TYPING_PAUSE_MS = 200;

/** What was found in attributes, and for which text; null if nobody could look. */
interface Details {
  readonly text: string;
  readonly spanIds: IdList | null;
}

export function useFind({ trace, tree, index }: ShownTrace, typed: string): FindResult {
  const [text] = useDebouncedValue(typed, TYPING_PAUSE_MS);
  const terms = useMemo(() => parseFind(text), [text]);
  const active = terms.include.length > 0;
  const [details, setDetails] = useState<Details | null>(null);
  useEffect(() => {
    if (!active) return undefined;
    const asked = new AbortController();
    const keep = (spanIds: IdList | null): void => {
      if (!asked.signal.aborted) setDetails({ text, spanIds });
    };
    index.find(text, terms, asked.signal).then(keep, () => keep(null));
    return () => asked.abort();
  }, [index, text, terms, active]);
  const current = details?.text === text ? details : null;
  return useMemo(() => {
    const flags = findInColumns(trace, terms);
    if (active && current?.spanIds) trace.spanId.mark(current.spanIds, flags);
    let count = 0;
    for (const flag of flags) count += flag;
    const rows = new Int32Array(count);
    for (let row = 0, at = 0; at < count; row++) if (flags[tree.order[row]]) rows[at++] = row;
    const state = !active || current?.spanIds ? "done" : current ? "failed" : "busy";
    return { text, flags, rows, active, state };
  }, [trace, tree, text, terms, active, current]);
}
