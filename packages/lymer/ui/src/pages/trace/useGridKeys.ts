/** The keys of a tree grid (WAI-ARIA practices), and the focus that goes with them. */

import { useLayoutEffect, useRef, type KeyboardEvent, type RefObject } from "react";

import type { RunState } from "./SpanRow.tsx";
import { parentRow, visiblePosition, type SpanTree } from "../../model/tree.ts";

/** Rows that Page Up and Page Down move. */
const PAGE_ROWS = 20;

interface GridKeysProps {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly tree: SpanTree;
  readonly visible: Int32Array;
  readonly collapsed: Uint8Array;
  readonly active: number;
  /** Make a row the active one and bring it on screen. */
  readonly onMove: (row: number) => void;
  readonly onOpen: (row: number) => void;
  readonly onFold: (row: number) => void;
  readonly runOf: (row: number) => RunState;
  readonly onRun: (row: number) => void;
}

interface GridKeys {
  readonly onKeyDown: (event: KeyboardEvent) => void;
  readonly onKeyUp: (event: KeyboardEvent) => void;
  readonly onPointerDownCapture: () => void;
}

export function useGridKeys(props: GridKeysProps): GridKeys {
  const { scroller, active, onMove, onOpen, onFold, onRun } = props;
  const focusNext = useRef(false);
  const byKeyboard = useRef(false);
  // The row to focus may come on screen only some renders later.
  useLayoutEffect(() => {
    if (!focusNext.current) return;
    const element = scroller.current?.querySelector<HTMLElement>(`[data-row="${active}"]`);
    if (!element) return;
    focusNext.current = false;
    element.focus({ preventScroll: true });
  });
  const onKeyDown = (event: KeyboardEvent): void => {
    const place = event.target instanceof HTMLElement ? event.target.dataset["row"] : undefined;
    if (place === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    const row = Number(place);
    const target = rowKey(event.key, row, props);
    // After a click the arrow keys stay Jaeger's (pan and zoom); after Tab they belong to the grid.
    if (target === null || (!byKeyboard.current && event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    event.stopPropagation();
    if (target === "open") onOpen(row);
    else if (target === "run") onRun(row);
    else if (target === "fold") onFold(row);
    else {
      focusNext.current = true;
      onMove(target);
    }
  };
  return {
    onKeyDown,
    onKeyUp: (event) => {
      if (event.key === "Tab") byKeyboard.current = true;
    },
    onPointerDownCapture: () => {
      byKeyboard.current = false;
    },
  };
}

type RowContext = Pick<GridKeysProps, "tree" | "visible" | "collapsed" | "runOf">;

/** Return the row a key leads to, what it does to the row, or null if it means nothing here. */
function rowKey(key: string, row: number, context: RowContext): number | "open" | "fold" | "run" | null {
  const { tree, visible, collapsed } = context;
  const place = visiblePosition(visible, row);
  const parent = tree.children[row] > 0;
  const run = context.runOf(row);
  const at = (index: number): number => visible[Math.min(visible.length - 1, Math.max(0, index))];
  switch (key) {
    case "Enter":
    case " ":
      return run === "folded" ? "run" : "open";
    case "ArrowDown":
      return at(place + 1);
    case "ArrowUp":
      return at(place - 1);
    case "Home":
      return at(0);
    case "End":
      return at(visible.length - 1);
    case "PageDown":
      return at(place + PAGE_ROWS);
    case "PageUp":
      return at(place - PAGE_ROWS);
    case "ArrowRight":
      if (run === "folded") return "run";
      if (!parent) return row;
      return collapsed[row] ? "fold" : at(place + 1);
    case "ArrowLeft":
      if (run === "opened" && (!parent || collapsed[row])) return "run";
      return parent && !collapsed[row] && run !== "folded" ? "fold" : Math.max(0, parentRow(tree, row));
    default:
      return null;
  }
}
