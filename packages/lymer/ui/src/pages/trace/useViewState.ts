/** What is zoomed, folded, open and looked for on the trace page; all of it kept in the URL. */

import { useEffect, useState, type Dispatch, type SetStateAction } from "react";

import { decodeFold, encodeFold, revealRow } from "../../model/collapse.ts";
import type { TraceColumns } from "../../model/columns.ts";
import { decodeRange, encodeRange, type Range } from "../../model/range.ts";
import type { SpanTree } from "../../model/tree.ts";

export interface ViewState {
  readonly range: Range;
  readonly setRange: Dispatch<SetStateAction<Range>>;
  readonly collapsed: Uint8Array;
  readonly setCollapsed: Dispatch<SetStateAction<Uint8Array>>;
  /** Spans whose details are open, in the order they were opened. */
  readonly open: readonly number[];
  readonly setOpen: Dispatch<SetStateAction<readonly number[]>>;
  readonly find: string;
  readonly setFind: Dispatch<SetStateAction<string>>;
}

/** How long after the last change the URL follows, milliseconds: browsers limit the rate. */
const URL_DELAY_MS = 250;

function openSpans(trace: TraceColumns, text: string | null): number[] {
  const ids = new Set((text ?? "").split(",").filter(Boolean));
  if (ids.size === 0) return [];
  const spans: number[] = [];
  for (let span = 0; span < trace.count; span++) if (ids.has(trace.spanId[span])) spans.push(span);
  return spans;
}

/** Write one parameter, or take it out if it says nothing. */
function put(params: URLSearchParams, name: string, value: string): void {
  if (value) params.set(name, value);
  else params.delete(name);
}

export function useViewState(trace: TraceColumns, tree: SpanTree): ViewState {
  const [first] = useState(() => new URLSearchParams(window.location.search));
  const [range, setRange] = useState(() => decodeRange(first.get("zoom"), trace.durationNano));
  const [open, setOpen] = useState<readonly number[]>(() => openSpans(trace, first.get("span")));
  const [find, setFind] = useState(() => first.get("uiFind") ?? "");
  const [collapsed, setCollapsed] = useState(() => {
    const folded = decodeFold(tree, first.get("fold"));
    return open.reduce((now, span) => revealRow(tree, now, tree.rowOf[span]), folded);
  });

  useEffect(() => {
    const timer = setTimeout(() => {
      const params = new URLSearchParams(window.location.search);
      put(params, "uiFind", find);
      put(params, "zoom", encodeRange(range, trace.durationNano));
      put(params, "span", open.map((span) => trace.spanId[span]).join(","));
      put(params, "fold", encodeFold(tree, collapsed));
      const query = params.toString().replaceAll("%2C", ",");
      const url = `${window.location.pathname}${query ? `?${query}` : ""}`;
      const current = `${window.location.pathname}${window.location.search}`;
      if (url !== current) window.history.replaceState(window.history.state, "", url);
    }, URL_DELAY_MS);
    return () => clearTimeout(timer);
  }, [trace, tree, range, open, find, collapsed]);

  return { range, setRange, collapsed, setCollapsed, open, setOpen, find, setFind };
}
