/** What is zoomed, folded, open and looked for on the trace page; the address and it follow each other. */

import { useCallback, useEffect, useRef, useState, type Dispatch, type SetStateAction } from "react";

import { useParams } from "../../app/url.ts";
import { decodeFold, encodeFold, revealRow } from "../../model/collapse.ts";
import type { TraceColumns } from "../../model/columns.ts";
import { text } from "../../model/params.ts";
import { decodeRange, encodeRange, type Range } from "../../model/range.ts";
import type { SpanTree } from "../../model/tree.ts";

const VIEW_PARAMS = { uiFind: text(), zoom: text(), span: text(), fold: text() };

interface Parts {
  readonly range: Range;
  /** Spans whose details are open, in the order they were opened. */
  readonly open: readonly number[];
  readonly find: string;
  readonly collapsed: Uint8Array;
}

export interface ViewState extends Parts {
  readonly setRange: Dispatch<SetStateAction<Range>>;
  readonly setCollapsed: Dispatch<SetStateAction<Uint8Array>>;
  readonly setOpen: Dispatch<SetStateAction<readonly number[]>>;
  readonly setFind: Dispatch<SetStateAction<string>>;
  /** Grows each time the address asked for other spans than before: they are to be shown. */
  readonly arrivals: number;
}

/** How long after the last change the address follows, milliseconds: browsers limit the rate. */
const URL_DELAY_MS = 250;
/** Changes that follow each other faster are one step for Back, milliseconds. */
const STEP_MS = 1500;

type Texts = Readonly<Record<keyof typeof VIEW_PARAMS, string>>;

function openSpans(trace: TraceColumns, ids: string): number[] {
  const wanted = ids.split(",").filter(Boolean);
  if (wanted.length === 0) return [];
  const places = new Map(wanted.map((id) => [id.padStart(16, "0"), -1]));
  for (let span = 0; span < trace.count; span++) {
    if (places.get(trace.spanId[span]) === -1) places.set(trace.spanId[span], span);
  }
  return [...places.values()].filter((span) => span >= 0);
}

function decode(trace: TraceColumns, tree: SpanTree, texts: Texts): Parts {
  const open = openSpans(trace, texts.span);
  const folded = decodeFold(tree, texts.fold);
  return {
    range: decodeRange(texts.zoom, trace.durationNano),
    open,
    find: texts.uiFind,
    collapsed: open.reduce((now, span) => revealRow(tree, now, tree.rowOf[span]), folded),
  };
}

function encode(trace: TraceColumns, tree: SpanTree, parts: Parts): Texts {
  return {
    uiFind: parts.find,
    zoom: encodeRange(parts.range, trace.durationNano),
    span: parts.open.map((span) => trace.spanId[span]).join(","),
    fold: encodeFold(tree, parts.collapsed),
  };
}

function same(a: Texts, b: Texts): boolean {
  return a.uiFind === b.uiFind && a.zoom === b.zoom && a.span === b.span && a.fold === b.fold;
}

export function useViewState(trace: TraceColumns, tree: SpanTree): ViewState {
  const [params, setParams] = useParams(VIEW_PARAMS);
  const [parts, setParts] = useState<Parts>(() => decode(trace, tree, params));
  const [arrivals, setArrivals] = useState(0);
  /** What the address said when we last read or wrote it. */
  const known = useRef<Texts>(params);
  const pushed = useRef(0);

  useEffect(() => {
    const before = known.current;
    if (same(params, before)) return;
    known.current = params;
    setParts(decode(trace, tree, params));
    if (params.span !== before.span && params.span !== "") setArrivals((now) => now + 1);
  }, [params, trace, tree]);

  useEffect(() => {
    const timer = setTimeout(() => {
      const texts = encode(trace, tree, parts);
      const before = known.current;
      if (same(texts, before)) return;
      known.current = texts;
      const now = performance.now();
      const step = (texts.zoom !== before.zoom || texts.span !== before.span) && now - pushed.current > STEP_MS;
      if (step) pushed.current = now;
      setParams(texts, step ? "push" : "replace");
    }, URL_DELAY_MS);
    return () => clearTimeout(timer);
  }, [trace, tree, parts, setParams]);

  const setter = <K extends keyof Parts>(name: K): Dispatch<SetStateAction<Parts[K]>> => {
    return (next) =>
      setParts((now) => {
        const value = typeof next === "function" ? (next as (old: Parts[K]) => Parts[K])(now[name]) : next;
        return value === now[name] ? now : { ...now, [name]: value };
      });
  };
  /* oxlint-disable react-hooks/exhaustive-deps -- each setter depends on its name alone */
  const setRange = useCallback(setter("range"), []);
  const setOpen = useCallback(setter("open"), []);
  const setFind = useCallback(setter("find"), []);
  const setCollapsed = useCallback(setter("collapsed"), []);
  /* oxlint-enable */
  return { ...parts, arrivals, setRange, setOpen, setFind, setCollapsed };
}
