/** A box in the browser's top layer that stands at a control: lists, menus, small choices. */

import { useLayoutEffect, useRef, type RefObject } from "react";

const GAP_PX = 4;
const MARGIN_PX = 8;

interface Placement {
  /** Which edges of box and control stand in line. */
  readonly side: "start" | "end";
  /** Whether the box is as wide as the control at least. */
  readonly wide: boolean;
}

function place(box: HTMLElement, anchor: Element, { side, wide }: Placement): void {
  const at = anchor.getBoundingClientRect();
  if (wide) box.style.minWidth = `${at.width}px`;
  const below = window.innerHeight - at.bottom - GAP_PX - MARGIN_PX;
  const above = at.top - GAP_PX - MARGIN_PX;
  const wanted = Math.min(box.scrollHeight, 360);
  const under = below >= wanted || below >= above;
  box.style.maxHeight = `${Math.max(120, Math.min(360, under ? below : above))}px`;
  const { offsetWidth: width, offsetHeight: height } = box;
  const left = side === "start" ? at.left : at.right - width;
  box.style.left = `${Math.max(MARGIN_PX, Math.min(window.innerWidth - width - MARGIN_PX, left))}px`;
  box.style.top = `${under ? at.bottom + GAP_PX : at.top - GAP_PX - height}px`;
}

/** Return a ref for a `popover="manual"` element that is shown at `anchor` while `open`. */
export function useAnchored<T extends HTMLElement>(
  anchor: RefObject<Element | null>,
  open: boolean,
  side: Placement["side"],
  wide: boolean,
): RefObject<T | null> {
  const box = useRef<T>(null);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element || !open) return undefined;
    element.showPopover();
    const follow = (): void => {
      if (anchor.current) place(element, anchor.current, { side, wide });
    };
    follow();
    const watch = new ResizeObserver(follow);
    watch.observe(element);
    window.addEventListener("resize", follow);
    document.addEventListener("scroll", follow, true);
    return () => {
      watch.disconnect();
      window.removeEventListener("resize", follow);
      document.removeEventListener("scroll", follow, true);
      if (element.isConnected) element.hidePopover();
    };
  }, [anchor, open, side, wide]);
  return box;
}
