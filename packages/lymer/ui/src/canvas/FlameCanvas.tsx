/** Rectangles of merged paths, each as wide as its part of what is above it; keys as in a tree. */

import { useElementSize, useMergedRef } from "@mantine/hooks";
import { useCallback, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode } from "react";

import { useLocale } from "../i18n/index.ts";
import { formatDuration } from "../model/duration.ts";
import { flameRects, type FlameRect, type PathNode } from "../model/paths.ts";
import { canvasFont, CanvasView, type Draw } from "./CanvasView.tsx";

const ROW_PX = 21;
/** Narrower rectangles are not drawn, CSS pixels. */
const WIDTH_PX_MIN = 0.6;
const TEXT_PX_MIN = 34;

interface FlameProps {
  readonly nodes: readonly PathNode[];
  /** Service → colour. */
  readonly palette: ReadonlyMap<string, number>;
  /** The node shown at full width, -1 for all. */
  readonly focus: number;
  readonly onFocus: (node: number) => void;
  readonly matches: readonly boolean[] | null;
}

export function FlameCanvas({ nodes, palette, focus, onFocus, matches }: FlameProps): ReactNode {
  const { t, percent } = useLocale();
  const rects = useMemo(() => flameRects(nodes, focus), [nodes, focus]);
  const depth = useMemo(() => rects.reduce((most, rect) => Math.max(most, rect.depth), 0) + 1, [rects]);
  const box = useRef<HTMLDivElement>(null);
  const { ref: sizeRef, width } = useElementSize<HTMLDivElement>();
  const ref = useMergedRef(box, sizeRef);
  const [hover, setHover] = useState<FlameRect | null>(null);
  const [at, setAt] = useState(0);

  const draw = useCallback<Draw>(
    (context, size, canvas) => {
      context.font = canvasFont(11);
      context.textBaseline = "middle";
      for (const rect of rects) {
        const px = rect.width * size.width;
        if (px < WIDTH_PX_MIN) continue;
        const node = nodes[rect.node];
        const x = rect.x * size.width;
        const y = rect.depth * ROW_PX;
        context.globalAlpha = matches && !matches[rect.node] ? 0.25 : 1;
        context.fillStyle = canvas.services[palette.get(node.service) ?? 0];
        context.fillRect(x, y, Math.max(0.6, px - 1), ROW_PX - 1);
        if (node.errors > 0) {
          context.fillStyle = canvas.error;
          context.fillRect(x, y + ROW_PX - 4, Math.max(0.6, px - 1), 3);
        }
        if (px < TEXT_PX_MIN) continue;
        context.save();
        context.beginPath();
        context.rect(x, y, px - 4, ROW_PX);
        context.clip();
        context.fillStyle = canvas.surface;
        context.fillText(`${node.operation || node.service} ${formatDuration(node.total)}`, x + 5, y + ROW_PX / 2);
        context.restore();
      }
      context.globalAlpha = 1;
      const marked = rects[at];
      if (marked && document.activeElement === box.current) {
        context.strokeStyle = canvas.text;
        context.lineWidth = 2;
        context.strokeRect(marked.x * size.width + 1, marked.depth * ROW_PX + 1, marked.width * size.width - 3, ROW_PX - 3);
      }
    },
    [rects, nodes, palette, matches, at],
  );
  const find = (event: PointerEvent): FlameRect | null => {
    const place = box.current?.getBoundingClientRect();
    if (!place) return null;
    const x = (event.clientX - place.left) / place.width;
    const row = Math.floor((event.clientY - place.top) / ROW_PX);
    return rects.find((rect) => rect.depth === row && x >= rect.x && x < rect.x + rect.width) ?? null;
  };
  const move = (event: KeyboardEvent): void => {
    const here = rects[at] ?? rects[0];
    const same = rects.map((rect, place) => ({ rect, place })).filter(({ rect }) => rect.width * width >= WIDTH_PX_MIN);
    const best = (wanted: (rect: FlameRect) => boolean, order: (a: FlameRect, b: FlameRect) => number): number =>
      same.filter(({ rect }) => wanted(rect)).sort((a, b) => order(a.rect, b.rect))[0]?.place ?? at;
    const next = {
      ArrowDown: () => best((rect) => rect.depth === here.depth + 1 && rect.x >= here.x - 1e-9 && rect.x < here.x + here.width, (a, b) => a.x - b.x),
      ArrowUp: () => best((rect) => rect.depth === here.depth - 1 && rect.x <= here.x + 1e-9 && rect.x + rect.width > here.x, (a, b) => a.x - b.x),
      ArrowRight: () => best((rect) => rect.depth === here.depth && rect.x > here.x, (a, b) => a.x - b.x),
      ArrowLeft: () => best((rect) => rect.depth === here.depth && rect.x < here.x, (a, b) => b.x - a.x),
    }[event.key];
    if (next) setAt(next());
    else if (event.key === "Enter" || event.key === " ") onFocus(here.node);
    else if (event.key === "Escape") onFocus(-1);
    else return;
    event.preventDefault();
  };
  const words = (rect: FlameRect | undefined): string => {
    if (!rect) return "";
    const node = nodes[rect.node];
    return `${node.service} ${node.operation}: ${t.counts.spans(node.spans.length)}, ${t.stats.columns.total} ${formatDuration(node.total)}, ${t.stats.self} ${formatDuration(node.self)}, ${percent(rect.width)}`;
  };
  const tip = hover ? nodes[hover.node] : null;
  return (
    <div className="ly-flame-scroll">
      <div
        ref={ref}
        className="ly-flame-box"
        style={{ height: depth * ROW_PX }}
        role="application"
        tabIndex={0}
        aria-label={`${t.flame.graph}: ${words(rects[at])}`}
        onKeyDown={move}
        onFocus={() => setAt((now) => Math.min(now, rects.length - 1))}
        onPointerMove={(event) => setHover(find(event))}
        onPointerLeave={() => setHover(null)}
        onClick={() => hover && onFocus(hover.node === focus ? -1 : hover.node)}
      >
        <CanvasView draw={draw} label={t.flame.graph} className="ly-flame-canvas" />
        {hover && tip && (
          <div
            className="ly-tip"
            data-side={hover.x + hover.width / 2 > 0.5 ? "left" : "right"}
            style={{ left: Math.min(width, Math.max(0, (hover.x + hover.width / 2) * width)), top: (hover.depth + 1) * ROW_PX + 20 }}
          >
            <strong>
              {tip.service}: {tip.operation}
            </strong>
            <span>
              {t.counts.spans(tip.spans.length)} · {formatDuration(tip.total)} · {t.stats.self} {formatDuration(tip.self)} · {percent(hover.width)}
            </span>
          </div>
        )}
      </div>
    </div>
  );
}
