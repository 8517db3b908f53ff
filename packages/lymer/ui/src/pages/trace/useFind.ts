/** Find in trace: names and ids at once, attributes as soon as the worker has them. */

import { useDebouncedValue } from "@mantine/hooks";
import { useEffect, useMemo, useRef, useState } from "react";

import { serverUrl } from "../../app/config.ts";
import { findInColumns, parseFind } from "../../model/find.ts";
import type { FindReply, FindRequest } from "./find.worker.ts";
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

/** What the worker found, and for which text. */
interface Details {
  readonly text: string;
  readonly spanIds: ReadonlySet<string> | null;
}

function useDetails(traceId: string, text: string, active: boolean): Details | null {
  const worker = useRef<Worker | null>(null);
  const ticket = useRef(0);
  const [details, setDetails] = useState<Details | null>(null);
  useEffect(() => () => worker.current?.terminate(), []);
  useEffect(() => {
    if (!active) return;
    worker.current ??= new Worker(new URL("./find.worker.ts", import.meta.url), { type: "module" });
    const request: FindRequest = {
      ticket: ++ticket.current,
      url: serverUrl(`api/traces/${traceId}`),
      terms: parseFind(text),
    };
    worker.current.onmessage = (event: MessageEvent<FindReply>) => {
      if (event.data.ticket !== ticket.current) return;
      const found = event.data.spanIds;
      setDetails({ text, spanIds: found && new Set(found) });
    };
    worker.current.postMessage(request);
  }, [traceId, text, active]);
  return details;
}

export function useFind({ trace, tree }: ShownTrace, typed: string): FindResult {
  const [text] = useDebouncedValue(typed, TYPING_PAUSE_MS);
  const terms = useMemo(() => parseFind(text), [text]);
  const active = terms.include.length > 0;
  const details = useDetails(trace.traceId, text, active);
  const current = details?.text === text ? details : null;
  return useMemo(() => {
    const flags = findInColumns(trace, terms);
    if (active && current?.spanIds) {
      for (let span = 0; span < trace.count; span++) {
        if (current.spanIds.has(trace.spanId[span])) flags[span] = 1;
      }
    }
    const rows = tree.order
      .map((span, row) => (flags[span] ? row : -1))
      .filter((row) => row >= 0);
    const state = !active || current?.spanIds ? "done" : current ? "failed" : "busy";
    return { text, flags, rows, active, state };
  }, [trace, tree, text, terms, active, current]);
}
