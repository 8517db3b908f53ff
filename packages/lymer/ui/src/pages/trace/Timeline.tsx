/** The timeline: rows of names as a tree grid, bars on a canvas beside them, both virtual. */

import { useVirtualizer } from "@tanstack/react-virtual";
import {
  useCallback,
  useImperativeHandle,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  type CSSProperties,
  type KeyboardEvent,
  type ReactNode,
  type Ref,
} from "react";

import { useLocale } from "../../i18n/index.ts";
import { toggleRow } from "../../model/collapse.ts";
import { spanRange } from "../../model/range.ts";
import { itemPlace, itemRow, timelineItems } from "../../model/timelineItems.ts";
import { parentRow } from "../../model/tree.ts";
import { Bars } from "./Bars.tsx";
import { useShownTrace } from "./context.ts";
import { SpanDetail } from "./SpanDetail.tsx";
import { SpanRow } from "./SpanRow.tsx";
import { TimelineHead, useNameWidth } from "./TimelineHead.tsx";
import { useBarGestures } from "./useBarGestures.ts";
import type { FindResult } from "./useFind.ts";
import type { ViewState } from "./useViewState.ts";

export const ROW_PX = 27;
const DETAIL_PX = 320;
const OVERSCAN_ROWS = 12;
/** Part of the height that one press of `s` or `w` scrolls. */
const PAGE = 0.5;
const INDENT_PX = 12;
/** Part of the name column that indentation may take; deeper trees get narrower steps. */
const INDENT_SHARE = 0.45;

/** What the page asks of the timeline. */
export interface TimelineHandle {
  /** Bring a row on screen. */
  readonly show: (row: number, align: "auto" | "center") => void;
  /** Scroll by about half a page, 1 down, -1 up. */
  readonly scroll: (direction: 1 | -1) => void;
}

interface TimelineProps {
  readonly ref: Ref<TimelineHandle>;
  readonly view: ViewState;
  readonly visible: Int32Array;
  /** The row that has or would get the focus. */
  readonly active: number;
  readonly onActive: (row: number) => void;
  readonly found: FindResult;
}

export function Timeline({ ref, view, visible, active, onActive, found }: TimelineProps): ReactNode {
  const { t } = useLocale();
  const { trace, tree } = useShownTrace();
  const { range, setRange, collapsed, setCollapsed, open, setOpen } = view;
  const scroller = useRef<HTMLDivElement>(null);
  const pending = useRef<{ row: number; align: "auto" | "center" } | null>(null);
  const focusNext = useRef(false);
  const byKeyboard = useRef(false);
  const [nameWidth, setNameWidth] = useNameWidth();
  const openRows = useMemo(() => new Set(open.map((span) => tree.rowOf[span])), [open, tree]);
  const items = useMemo(() => timelineItems(visible, openRows), [visible, openRows]);
  const rows = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => (items[index] < 0 ? DETAIL_PX : ROW_PX),
    getItemKey: (index) => items[index],
    overscan: OVERSCAN_ROWS,
  });
  const gestures = useBarGestures({ scroller, nameWidth, range, setRange });

  useImperativeHandle(ref, () => ({
    show: (row, align) => {
      pending.current = { row, align };
      rows.scrollToIndex(itemPlace(items, row), { align });
    },
    scroll: (direction) => {
      const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
      const height = scroller.current?.clientHeight ?? 0;
      scroller.current?.scrollBy({ top: direction * height * PAGE, behavior: calm ? "auto" : "smooth" });
    },
  }));
  // A row that was asked for may have come into being only now, by unfolding.
  useLayoutEffect(() => {
    const wanted = pending.current;
    if (!wanted) return;
    pending.current = null;
    rows.scrollToIndex(itemPlace(items, wanted.row), { align: wanted.align });
  }, [items, rows, active]);
  const [opened] = useState(active);
  useLayoutEffect(() => {
    if (opened > 0) rows.scrollToIndex(itemPlace(items, opened), { align: "center" });
    // eslint-disable-next-line -- once, for a deep link
  }, []);
  useLayoutEffect(() => {
    if (!focusNext.current) return;
    const element = scroller.current?.querySelector<HTMLElement>(`[data-row="${active}"]`);
    if (!element) return;
    focusNext.current = false;
    element.focus({ preventScroll: true });
  });

  const toggleOpen = useCallback(
    (row: number) => {
      const span = tree.order[row];
      onActive(row);
      setOpen((now) => (now.includes(span) ? now.filter((other) => other !== span) : [...now, span]));
    },
    [tree, setOpen, onActive],
  );
  const toggleFold = useCallback(
    (row: number) => {
      onActive(row);
      setCollapsed((now) => toggleRow(now, row));
    },
    [setCollapsed, onActive],
  );

  const zoomTo = useCallback(
    (row: number) => setRange(spanRange(trace, tree.order[row])),
    [trace, tree, setRange],
  );

  const moveTo = (row: number): void => {
    focusNext.current = true;
    onActive(row);
    rows.scrollToIndex(itemPlace(items, row), { align: "auto" });
  };
  const onRowKey = (event: KeyboardEvent): void => {
    if (!(event.target instanceof HTMLElement) || event.target.dataset["row"] === undefined) return;
    const row = Number(event.target.dataset["row"]);
    const target = rowKey(event.key, { row, visible, tree, collapsed: collapsed[row] === 1 });
    if (target === null || event.ctrlKey || event.altKey || event.metaKey) return;
    // After a click the arrow keys stay Jaeger's (pan and zoom); after Tab they belong to the grid.
    if (!byKeyboard.current && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    if (target === "open") toggleOpen(row);
    else if (target === "fold") toggleFold(row);
    else moveTo(target);
  };

  const shownRows = rows.getVirtualItems();
  const step = Math.min(INDENT_PX, (nameWidth * INDENT_SHARE) / Math.max(1, tree.maxDepth));
  const style = { "--ly-name-width": `${nameWidth}px`, "--ly-indent": `${step}px` } as CSSProperties;
  const tabRow = shownRows.some(({ index }) => items[index] === active)
    ? active
    : itemRow(items[shownRows.find(({ index }) => items[index] >= 0)?.index ?? 0] ?? 0);
  return (
    <div className="ly-timeline" style={style}>
      <TimelineHead range={range} setCollapsed={setCollapsed} nameWidth={nameWidth} onNameWidth={setNameWidth} />
      <div className="ly-timeline-view">
        <div
          ref={scroller}
          className="ly-timeline-scroll"
          onPointerDownCapture={() => (byKeyboard.current = false)}
          onKeyUp={(event) => {
            if (event.key === "Tab") byKeyboard.current = true;
          }}
          {...gestures.handlers}
        >
          <div
            role="treegrid"
            aria-label={t.trace.grid}
            aria-rowcount={visible.length}
            aria-colcount={2}
            className="ly-grid"
            style={{ height: rows.getTotalSize() }}
            onKeyDown={onRowKey}
          >
            {shownRows.map(({ index, start }) => {
              const item = items[index];
              const row = itemRow(item);
              const span = tree.order[row];
              if (item < 0) {
                return (
                  <div key={item} ref={rows.measureElement} data-index={index} className="ly-detail-row" role="row" style={{ transform: `translateY(${start}px)` }}>
                    <div role="gridcell" aria-colspan={2}>
                      <SpanDetail span={span} onRange={setRange} />
                    </div>
                  </div>
                );
              }
              return (
                <SpanRow
                  key={item}
                  row={row}
                  top={start}
                  place={index}
                  folded={collapsed[row] === 1}
                  open={openRows.has(row)}
                  found={found.active && found.flags[span] === 1}
                  dimmed={found.active && found.rows.length > 0 && found.flags[span] === 0}
                  tab={row === tabRow}
                  active={row === active}
                  onFold={toggleFold}
                  onOpen={toggleOpen}
                  onActive={onActive}
                  onZoom={zoomTo}
                />
              );
            })}
          </div>
          <Bars shownRows={shownRows} items={items} range={range} collapsed={collapsed} trace={trace} found={found} />
        </div>
        {gestures.selection}
      </div>
    </div>
  );
}

interface RowContext {
  readonly row: number;
  readonly visible: Int32Array;
  readonly tree: ReturnType<typeof useShownTrace>["tree"];
  readonly collapsed: boolean;
}

/** Return where a key leads from a row of a tree grid (WAI-ARIA practices), or what it does. */
function rowKey(key: string, { row, visible, tree, collapsed }: RowContext): number | "open" | "fold" | null {
  const place = visible.indexOf(row);
  const parent = tree.children[row] > 0;
  const at = (index: number): number => visible[Math.min(visible.length - 1, Math.max(0, index))];
  switch (key) {
    case "Enter":
    case " ":
      return "open";
    case "ArrowDown":
      return at(place + 1);
    case "ArrowUp":
      return at(place - 1);
    case "Home":
      return at(0);
    case "End":
      return at(visible.length - 1);
    case "PageDown":
      return at(place + 20);
    case "PageUp":
      return at(place - 20);
    case "ArrowRight":
      return parent ? (collapsed ? "fold" : at(place + 1)) : row;
    case "ArrowLeft":
      return parent && !collapsed ? "fold" : Math.max(0, parentRow(tree, row));
    default:
      return null;
  }
}
