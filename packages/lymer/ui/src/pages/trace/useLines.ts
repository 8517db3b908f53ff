/** The virtual lines of the timeline, and the ways to bring one of them on screen. */

import { useVirtualizer, type Virtualizer } from "@tanstack/react-virtual";
import { useCallback, useImperativeHandle, useLayoutEffect, useRef, type Ref, type RefObject } from "react";

import { itemPlace, type TimelineItems } from "../../model/timelineItems.ts";

export const ROW_PX = 27;
/** Height of details before they are measured. */
const DETAIL_PX = 320;
const OVERSCAN_ROWS = 12;
/** Part of the height that one press of `s` or `w` scrolls. */
const PAGE = 0.5;

type Align = "auto" | "center";

/** What the page asks of the timeline. */
export interface TimelineHandle {
  /** Bring a row on screen. */
  readonly show: (row: number, align: Align) => void;
  /** Scroll by about half a page, 1 down, -1 up. */
  readonly scroll: (direction: 1 | -1) => void;
}

interface LinesProps {
  readonly ref: Ref<TimelineHandle>;
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly items: TimelineItems;
  /** The active row; when the page opens with one, it is brought on screen. */
  readonly active: number;
}

interface Lines {
  readonly lines: Virtualizer<HTMLDivElement, Element>;
  readonly show: (row: number, align: Align) => void;
}

export function useLines({ ref, scroller, items, active }: LinesProps): Lines {
  const pending = useRef<{ readonly row: number; readonly align: Align } | null>(
    active > 0 ? { row: active, align: "center" } : null,
  );
  // A function of its own for each render would have every line measured anew with each step of a scroll.
  const getItemKey = useCallback((index: number) => items[index], [items]);
  const lines = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => (items[index] < 0 ? DETAIL_PX : ROW_PX),
    getItemKey,
    overscan: OVERSCAN_ROWS,
  });
  const show = (row: number, align: Align): void => {
    pending.current = { row, align };
    lines.scrollToIndex(itemPlace(items, row), { align });
  };
  useImperativeHandle(ref, () => ({
    show,
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
    lines.scrollToIndex(itemPlace(items, wanted.row), { align: wanted.align });
  }, [items, lines, active]);
  return { lines, show };
}
