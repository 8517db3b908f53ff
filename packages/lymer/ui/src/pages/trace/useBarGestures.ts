/** The mouse in the bar column: drag to zoom, shift-drag to pan, ctrl-wheel to zoom. */

import {
  createElement,
  useEffect,
  useRef,
  useState,
  type Dispatch,
  type MouseEvent,
  type PointerEvent,
  type ReactNode,
  type RefObject,
  type SetStateAction,
} from "react";

import { clampRange, panRange, zoomRange, type Range } from "../../model/range.ts";
import { useShownTrace } from "./context.ts";

/** A press that moves less is a click, CSS pixels. */
const DRAG_FROM_PX = 4;
const WHEEL_ZOOM = 0.0022;

interface GestureProps {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly nameWidth: number;
  readonly range: Range;
  readonly setRange: Dispatch<SetStateAction<Range>>;
}

interface Press {
  readonly x: number;
  readonly pan: boolean;
  readonly from: Range;
  moved: boolean;
}

interface Gestures {
  readonly handlers: {
    readonly onPointerDown: (event: PointerEvent) => void;
    readonly onPointerMove: (event: PointerEvent) => void;
    readonly onPointerUp: (event: PointerEvent) => void;
    readonly onPointerCancel: () => void;
    readonly onClickCapture: (event: MouseEvent) => void;
  };
  readonly selection: ReactNode;
}

export function useBarGestures({ scroller, nameWidth, range, setRange }: GestureProps): Gestures {
  const { trace } = useShownTrace();
  const total = trace.durationNano;
  const press = useRef<Press | null>(null);
  const swallowClick = useRef(false);
  const [marked, setMarked] = useState<{ readonly left: number; readonly width: number } | null>(null);

  /** Place of the pointer in the bar column, CSS pixels, and the width of the column. */
  const inBars = (clientX: number): { readonly x: number; readonly width: number } => {
    const element = scroller.current;
    const left = (element?.getBoundingClientRect().left ?? 0) + nameWidth;
    return { x: clientX - left, width: Math.max(1, (element?.clientWidth ?? 0) - nameWidth) };
  };

  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const wheel = (event: WheelEvent): void => {
      const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
      if (!event.ctrlKey && !sideways) return;
      event.preventDefault();
      const width = Math.max(1, element.clientWidth - nameWidth);
      const x = event.clientX - element.getBoundingClientRect().left - nameWidth;
      const anchor = Math.min(1, Math.max(0, x / width));
      setRange((now) =>
        event.ctrlKey
          ? zoomRange(now, Math.exp(event.deltaY * WHEEL_ZOOM), anchor, total)
          : panRange(now, event.deltaX / width, total),
      );
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, [scroller, nameWidth, setRange, total]);

  const onPointerDown = (event: PointerEvent): void => {
    swallowClick.current = false;
    const inDetail = event.target instanceof Element && event.target.closest(".ly-detail-row");
    const { x, width } = inBars(event.clientX);
    if (event.button !== 0 || event.pointerType === "touch" || inDetail || x < 0 || x > width) return;
    press.current = { x: event.clientX, pan: event.shiftKey, from: range, moved: false };
  };
  const onPointerMove = (event: PointerEvent): void => {
    const start = press.current;
    if (!start) return;
    if (!start.moved && Math.abs(event.clientX - start.x) < DRAG_FROM_PX) return;
    if (!start.moved) event.currentTarget.setPointerCapture(event.pointerId);
    start.moved = true;
    const { x, width } = inBars(event.clientX);
    if (start.pan) {
      setRange(panRange(start.from, (start.x - event.clientX) / width, total));
    } else {
      const here = Math.min(width, Math.max(0, x));
      const there = Math.min(width, Math.max(0, inBars(start.x).x));
      setMarked({ left: nameWidth + Math.min(here, there), width: Math.abs(here - there) });
    }
  };
  const onPointerUp = (): void => {
    const start = press.current;
    press.current = null;
    swallowClick.current = start?.moved ?? false;
    if (!start?.moved || start.pan || !marked) return;
    const { width } = inBars(0);
    const scale = (range.to - range.from) / width;
    const from = range.from + (marked.left - nameWidth) * scale;
    setRange(clampRange({ from, to: from + marked.width * scale }, total));
    setMarked(null);
  };
  return {
    handlers: {
      onPointerDown,
      onPointerMove,
      onPointerUp,
      onPointerCancel: () => {
        press.current = null;
        setMarked(null);
      },
      onClickCapture: (event) => {
        if (swallowClick.current) event.stopPropagation();
        swallowClick.current = false;
      },
    },
    selection: marked && createElement("span", { className: "ly-marked", style: marked }),
  };
}
