/** What is zoomed, folded, open and looked for on the trace page; the address and it follow each other. */

import { useCallback, useEffect, useMemo, useRef, useState, type Dispatch, type SetStateAction } from "react";

import { useParams } from "../../app/url.ts";
import { decodeFold, encodeFold, expandAll, revealRow } from "../../model/collapse.ts";
import type { TraceColumns } from "../../model/columns.ts";
import { text } from "../../model/params.ts";
import { decodeRange, encodeRange, type Range } from "../../model/range.ts";
import { decodeRuns, encodeRuns, findRuns, openRuns, type Runs } from "../../model/runs.ts";
import { placesOf, plainId } from "../../model/spanIds.ts";
import type { SpanTree } from "../../model/tree.ts";

const VIEW_PARAMS = { uiFind: text(), zoom: text(), span: text(), fold: text(), runs: text() };

interface Parts {
  readonly range: Range;
  /** Spans whose details are open, in the order they were opened. */
  readonly open: readonly number[];
  readonly find: string;
  readonly collapsed: Uint8Array;
  /** Which repeated calls stand one by one: a flag per run. */
  readonly opened: Uint8Array;
  /** Whether rows were last unfolded because something in them is shown: no step of its own. */
  readonly revealed: boolean;
}

export interface ViewState extends Parts {
  /** The repeated calls of the trace. */
  readonly runs: Runs;
  readonly setRange: Dispatch<SetStateAction<Range>>;
  readonly setCollapsed: Dispatch<SetStateAction<Uint8Array>>;
  readonly setOpened: Dispatch<SetStateAction<Uint8Array>>;
  /** Show every span. */
  readonly expandAll: () => void;
  /** Unfold what hides a row: a consequence of another step, so none for Back. */
  readonly reveal: (row: number) => void;
  readonly setOpen: Dispatch<SetStateAction<readonly number[]>>;
  readonly setFind: Dispatch<SetStateAction<string>>;
  /** Open details that the address implies: nothing is written to it, so Back leaves the trace. */
  readonly show: (spans: readonly number[]) => void;
  /** Grows each time the address asked for other spans than before: they are to be shown. */
  readonly arrivals: number;
}

/** How long after the last change the address follows, milliseconds: browsers limit the rate. */
const URL_DELAY_MS = 250;
/** Typing, folding or zooming that goes on within this time is one step for Back, milliseconds. */
const RUN_MS = 1500;

type Texts = Readonly<Record<keyof typeof VIEW_PARAMS, string>>;

function openSpans(trace: TraceColumns, ids: string): number[] {
  const wanted = ids.split(",").filter(Boolean);
  if (wanted.length === 0) return [];
  const places = placesOf(wanted, trace);
  return [...new Set(wanted.map((id) => places.get(plainId(id)) ?? -1))].filter((span) => span >= 0);
}

function decode(trace: TraceColumns, tree: SpanTree, runs: Runs, texts: Texts): Parts {
  const open = openSpans(trace, texts.span);
  const folded = decodeFold(tree, texts.fold);
  return {
    range: decodeRange(texts.zoom, trace.durationNano),
    open,
    find: texts.uiFind,
    collapsed: open.reduce((now, span) => revealRow(tree, now, tree.rowOf[span]), folded),
    opened: open.reduce((now, span) => openRuns(runs, now, tree.rowOf[span]), decodeRuns(runs, texts.runs)),
    revealed: false,
  };
}

function encode(trace: TraceColumns, parts: Parts, fold: string): Texts {
  return {
    uiFind: parts.find,
    zoom: encodeRange(parts.range, trace.durationNano),
    span: parts.open.map((span) => trace.spanId.at(span)).join(","),
    fold,
    runs: encodeRuns(parts.opened),
  };
}

function same(a: Texts, b: Texts): boolean {
  return a.uiFind === b.uiFind && a.zoom === b.zoom && a.span === b.span && a.fold === b.fold && a.runs === b.runs;
}

export function useViewState(trace: TraceColumns, tree: SpanTree): ViewState {
  const [params, setParams] = useParams(VIEW_PARAMS);
  const runs = useMemo(() => findRuns(trace, tree), [trace, tree]);
  const [parts, setParts] = useState<Parts>(() => decode(trace, tree, runs, params));
  const [arrivals, setArrivals] = useState(0);
  const fold = useMemo(() => encodeFold(tree, parts.collapsed), [tree, parts.collapsed]);
  /** What the address said when we last read or wrote it. */
  const read = useRef<Texts>(params);
  /** How we write what it said: an address that says the same in other words is left as it is. */
  const [meant] = useState(() => ({ texts: encode(trace, parts, fold) }));
  const run = useRef({ of: "", at: Number.NEGATIVE_INFINITY });

  useEffect(() => {
    const before = read.current;
    if (same(params, before)) return;
    read.current = params;
    run.current.of = "";
    const next = decode(trace, tree, runs, params);
    meant.texts = encode(trace, next, encodeFold(tree, next.collapsed));
    setParts(next);
    if (params.span !== before.span && params.span !== "") setArrivals((now) => now + 1);
  }, [params, trace, tree, runs, meant]);

  useEffect(() => {
    const texts = encode(trace, parts, fold);
    const before = meant.texts;
    if (same(texts, before)) return;
    const write = (step: "push" | "replace"): void => {
      read.current = texts;
      meant.texts = texts;
      setParams(texts, step);
    };
    // A step is made at once: were it to wait, somebody faster than the wait would go back too far.
    const now = performance.now();
    const of = (["span", "zoom", "uiFind", "fold", "runs"] as const).find((name) => texts[name] !== before[name]) ?? "";
    const follows = (of === "fold" || of === "runs") && parts.revealed;
    const goesOn = of !== "span" && of === run.current.of && now - run.current.at <= RUN_MS;
    if (!follows) {
      run.current = { of, at: now };
      if (!goesOn) {
        write("push");
        return;
      }
    }
    const timer = setTimeout(() => write("replace"), URL_DELAY_MS);
    return () => clearTimeout(timer);
  }, [trace, parts, fold, setParams, meant]);

  const setter = <K extends keyof Parts>(name: K): Dispatch<SetStateAction<Parts[K]>> => {
    return (next) =>
      setParts((now) => {
        const value = typeof next === "function" ? (next as (old: Parts[K]) => Parts[K])(now[name]) : next;
        return value === now[name] ? now : { ...now, [name]: value, revealed: false };
      });
  };
  /* oxlint-disable react-hooks/exhaustive-deps -- each setter depends on its name alone */
  const setRange = useCallback(setter("range"), []);
  const setOpen = useCallback(setter("open"), []);
  const setFind = useCallback(setter("find"), []);
  const setCollapsed = useCallback(setter("collapsed"), []);
  const setOpened = useCallback(setter("opened"), []);
  /* oxlint-enable */
  const reveal = useCallback(
    (row: number) =>
      setParts((now) => {
        const collapsed = revealRow(tree, now.collapsed, row);
        const opened = openRuns(runs, now.opened, row);
        return collapsed === now.collapsed && opened === now.opened ? now : { ...now, collapsed, opened, revealed: true };
      }),
    [tree, runs],
  );
  const everything = useCallback(() => {
    setCollapsed(expandAll(tree));
    setOpened(new Uint8Array(runs.count).fill(1));
  }, [tree, runs, setCollapsed, setOpened]);
  const show = useCallback(
    (open: readonly number[]) => {
      meant.texts = { ...meant.texts, span: open.map((span) => trace.spanId.at(span)).join(",") };
      setParts((now) => ({ ...now, open }));
    },
    [trace, meant],
  );
  return { ...parts, runs, arrivals, show, reveal, expandAll: everything, setOpened, setRange, setOpen, setFind, setCollapsed };
}
