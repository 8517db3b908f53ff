/** Find in trace: names and ids at once, attributes as soon as the worker has them. */

import { useDebouncedValue } from "@mantine/hooks";
import { useEffect, useMemo, useState } from "react";

import { findInColumns, parseFind } from "../../model/find.ts";
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

/** What the worker found, and for which text; null if it could not load the trace. */
interface Details {
  readonly text: string;
  readonly spanIds: ReadonlySet<string> | null;
}

export function useFind({ trace, tree, index }: ShownTrace, typed: string): FindResult {
  const [text] = useDebouncedValue(typed, TYPING_PAUSE_MS);
  const terms = useMemo(() => parseFind(text), [text]);
  const active = terms.include.length > 0;
  const [details, setDetails] = useState<Details | null>(null);
  useEffect(() => {
    if (!active) return undefined;
    let current = true;
    const keep = (spanIds: ReadonlySet<string> | null): void => {
      if (current) setDetails({ text, spanIds });
    };
    index.ask({ kind: "find", text, terms }).then(
      (found) => keep(new Set(found)),
      () => keep(null),
    );
    return () => {
      current = false;
    };
  }, [index, text, terms, active]);
  const current = details?.text === text ? details : null;
  return useMemo(() => {
    const flags = findInColumns(trace, terms);
    if (active && current?.spanIds) {
      for (let span = 0; span < trace.count; span++) {
        if (current.spanIds.has(trace.spanId[span])) flags[span] = 1;
      }
    }
    const rows = tree.order.map((span, row) => (flags[span] ? row : -1)).filter((row) => row >= 0);
    const state = !active || current?.spanIds ? "done" : current ? "failed" : "busy";
    return { text, flags, rows, active, state };
  }, [trace, tree, text, terms, active, current]);
}
