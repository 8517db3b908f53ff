/** The whole trace in a strip: drag over it to zoom, drag its edges to adjust. */

import { useCallback, useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode } from "react";

import { canvasFont, CanvasView, type Draw } from "../../canvas/CanvasView.tsx";
import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { STATUS_ERROR } from "../../model/columns.ts";
import { formatDuration, tickStep } from "../../model/duration.ts";
import { clampRange, isWhole, type Range } from "../../model/range.ts";
import { useShownTrace } from "./context.ts";

const TICKS_PX = 18;
const TICK_EVERY_PX = 140;
const KEY_STEP = 0.02;
const PAINTED = 1;
const FAILED = 2;

interface MinimapProps {
  readonly range: Range;
  readonly onRange: (range: Range) => void;
}

interface Drag {
  readonly kind: "brush" | "from" | "to";
  readonly anchor: number;
}

export function Minimap({ range, onRange }: MinimapProps): ReactNode {
  const { t } = useLocale();
  const { trace } = useShownTrace();
  const box = useRef<HTMLDivElement>(null);
  const drag = useRef<Drag | null>(null);
  const [brush, setBrush] = useState<Range | null>(null);
  const draw = useDrawMinimap();
  const total = trace.durationNano;
  const shown = brush ?? range;
  const whole = isWhole(shown, total);

  const timeAt = (event: PointerEvent): number => {
    const place = box.current?.getBoundingClientRect();
    if (!place) return 0;
    return Math.min(1, Math.max(0, (event.clientX - place.left) / place.width)) * total;
  };
  const start = (kind: Drag["kind"]) => (event: PointerEvent): void => {
    if (event.button !== 0) return;
    event.stopPropagation();
    event.currentTarget.setPointerCapture(event.pointerId);
    const anchor = kind === "from" ? range.to : kind === "to" ? range.from : timeAt(event);
    drag.current = { kind, anchor };
  };
  const move = (event: PointerEvent): void => {
    if (!drag.current) return;
    const { anchor } = drag.current;
    const here = timeAt(event);
    setBrush({ from: Math.min(anchor, here), to: Math.max(anchor, here) });
  };
  const stop = (): void => {
    drag.current = null;
    if (brush && brush.to - brush.from > total / 500) onRange(clampRange(brush, total));
    setBrush(null);
  };
  const handlers = { onPointerMove: move, onPointerUp: stop, onPointerCancel: stop };
  const percent = (nanos: number): string => `${(nanos / total) * 100}%`;
  const edge = (kind: "from" | "to"): ReactNode => (
    <Edge
      kind={kind}
      label={kind === "from" ? t.trace.rangeStart : t.trace.rangeEnd}
      range={shown}
      total={total}
      onRange={onRange}
      onPointerDown={start(kind)}
      {...handlers}
    />
  );
  return (
    <div className="ly-minimap">
      <div ref={box} className="ly-minimap-box" onPointerDown={start("brush")} {...handlers}>
        <CanvasView draw={draw} label={t.trace.minimap} className="ly-minimap-canvas" />
        {!whole && (
          <>
            <span className="ly-veil" style={{ left: 0, width: percent(shown.from) }} />
            <span className="ly-veil" style={{ left: percent(shown.to), right: 0 }} />
          </>
        )}
        {edge("from")}
        {edge("to")}
      </div>
      {!isWhole(range, total) && (
        <div className="ly-minimap-reset">
          <Button kind="quiet" onClick={() => onRange({ from: 0, to: total })}>
            {t.trace.resetZoom}
          </Button>
        </div>
      )}
    </div>
  );
}

/** Draws every span as a line, rows squeezed to the height of the strip, and a time scale. */
function useDrawMinimap(): Draw {
  const { trace, tree, colors: palette } = useShownTrace();
  return useCallback<Draw>(
    (context, { width, height }, colors) => {
      const total = trace.durationNano;
      const step = tickStep(total, Math.max(2, width / TICK_EVERY_PX));
      context.font = canvasFont(11);
      context.textBaseline = "middle";
      for (let tick = 0; tick < total; tick += step) {
        const x = Math.round((tick / total) * width);
        context.fillStyle = colors.line;
        context.fillRect(x, 0, 1, height);
        context.fillStyle = colors.muted;
        context.fillText(formatDuration(tick), x + 5, TICKS_PX / 2);
      }
      const area = height - TICKS_PX - 4;
      const line = Math.min(4, Math.max(1, (area / trace.count) * 0.7));
      // Of the rows that share a line of pixels, those are left out that would only paint over what is painted.
      const painted = new Uint8Array(Math.ceil(width) + 1);
      let before = -1;
      for (let row = 0; row < trace.count; row++) {
        const span = tree.order[row];
        const failed = trace.status[span] === STATUS_ERROR;
        const x = (trace.start[span] / total) * width;
        const long = Math.max(1, (trace.duration[span] / total) * width);
        const y = TICKS_PX + (row / trace.count) * area;
        if (Math.floor(y) !== before) painted.fill(0);
        before = Math.floor(y);
        const mark = failed ? FAILED : PAINTED;
        let isNew = false;
        for (let pixel = Math.floor(x); pixel < x + long && pixel < painted.length; pixel++) {
          if (painted[pixel] >= mark) continue;
          painted[pixel] = mark;
          isNew = true;
        }
        if (!isNew) continue;
        context.fillStyle = failed ? colors.error : colors.services[palette[trace.service[span]]];
        context.fillRect(x, y, long, line);
      }
    },
    [trace, tree, palette],
  );
}

interface EdgeProps {
  readonly kind: "from" | "to";
  readonly label: string;
  readonly range: Range;
  readonly total: number;
  readonly onRange: (range: Range) => void;
  readonly onPointerDown: (event: PointerEvent) => void;
  readonly onPointerMove: (event: PointerEvent) => void;
  readonly onPointerUp: () => void;
  readonly onPointerCancel: () => void;
}

/** One edge of the visible range: a slider. */
function Edge({ kind, label, range, total, onRange, ...pointer }: EdgeProps): ReactNode {
  const value = range[kind];
  const onKeyDown = (event: KeyboardEvent): void => {
    const direction = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
    if (direction === 0) return;
    event.preventDefault();
    event.stopPropagation();
    const next = { ...range, [kind]: Math.min(total, Math.max(0, value + direction * KEY_STEP * total)) };
    if (next.to > next.from) onRange(clampRange(next, total));
  };
  return (
    <div
      className="ly-edge"
      data-kind={kind}
      role="slider"
      tabIndex={0}
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={Math.round(total)}
      aria-valuenow={Math.round(value)}
      aria-valuetext={formatDuration(value)}
      style={{ left: `${(value / total) * 100}%` }}
      onKeyDown={onKeyDown}
      {...pointer}
    />
  );
}
