/** All matching spans by start and duration; a part of them is marked by mouse, finger or keys. */

import { useElementSize, useMergedRef } from "@mantine/hooks";
import { useId, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode } from "react";

import { canvasFont, CanvasView, type Draw } from "../../../canvas/CanvasView.tsx";
import { useLocale } from "../../../i18n/index.ts";
import { formatDuration } from "../../../model/duration.ts";
import { boxOf, cellsBetween, cellsOf, countOf, rowDurations, strength, type Box, type Cells, type Heat } from "../../../model/heat.ts";

const PAD = { left: 58, right: 14, top: 10, bottom: 24 } as const;
const TIME_TICK_PX = 130;
const ROW_LABEL_PX = 26;
/** A shorter drag is a click, and marks the one cell, CSS pixels. */
const DRAG_PX_MIN = 4;

interface HeatmapProps {
  readonly heat: Heat;
  readonly box: Box | null;
  readonly onBox: (box: Box | null) => void;
}

type Corner = readonly [number, number];

export function Heatmap({ heat, box, onBox }: HeatmapProps): ReactNode {
  const { t, number, dateTime, shortTime } = useLocale();
  const id = useId();
  const place = useRef<HTMLDivElement>(null);
  const { ref: sizeRef, width, height } = useElementSize<HTMLDivElement>();
  const ref = useMergedRef(place, sizeRef);
  /** The corner where a drag or a marking by keys began, and where it is now. */
  const [drag, setDrag] = useState<{ readonly from: Corner; readonly to: Corner } | null>(null);
  const [cursor, setCursor] = useState<Corner | null>(null);
  const began = useRef<readonly [number, number]>([0, 0]);
  const inner = { width: Math.max(1, width - PAD.left - PAD.right), height: Math.max(1, height - PAD.top - PAD.bottom) };
  const cell = { width: inner.width / heat.columns, height: inner.height / heat.rows };
  const drawn = useMemo(() => drawHeat(heat, shortTime), [heat, shortTime]);
  const chosen: Cells | null = drag ? cellsBetween(heat, drag.from, drag.to) : box ? cellsOf(heat, box) : null;

  const corner = (event: PointerEvent): Corner => {
    const at = place.current?.getBoundingClientRect();
    if (!at) return [0, 0];
    return [(event.clientX - at.left - PAD.left) / cell.width, heat.rows - (event.clientY - at.top - PAD.top) / cell.height];
  };
  const onPointerDown = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    began.current = [event.clientX, event.clientY];
    setDrag({ from: corner(event), to: corner(event) });
  };
  const onPointerMove = (event: PointerEvent): void => {
    if (drag && event.buttons > 0) setDrag({ ...drag, to: corner(event) });
    else if (event.pointerType === "mouse") setCursor(corner(event));
  };
  const onPointerUp = (event: PointerEvent): void => {
    if (!drag) return;
    const moved = Math.hypot(event.clientX - began.current[0], event.clientY - began.current[1]) >= DRAG_PX_MIN;
    const cells = cellsBetween(heat, drag.from, moved ? corner(event) : drag.from);
    setDrag(null);
    if (moved || countOf(heat, cells).spans > 0) onBox(boxOf(heat, cells));
    else if (box) onBox(null);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (step) {
      const now: Corner = drag?.to ?? cursor ?? [heat.columns / 2, heat.rows / 2];
      const cells = cellsBetween(heat, now, now);
      const next: Corner = [
        Math.max(0, Math.min(heat.columns - 1, cells.left + step[0])) + 0.5,
        Math.max(0, Math.min(heat.rows - 1, cells.bottom + step[1])) + 0.5,
      ];
      if (event.shiftKey) setDrag({ from: drag?.from ?? [cells.left + 0.5, cells.bottom + 0.5], to: next });
      else {
        setDrag(null);
        setCursor(next);
      }
    } else if (event.key === "Enter" && (drag ?? cursor)) {
      const cells = drag ? cellsBetween(heat, drag.from, drag.to) : cellsBetween(heat, cursor ?? [0, 0], cursor ?? [0, 0]);
      setDrag(null);
      onBox(boxOf(heat, cells));
    } else if (event.key === "Escape" && (drag !== null || box !== null)) {
      setDrag(null);
      if (!drag) onBox(null);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const under = cursor && cursor[0] >= 0 && cursor[0] < heat.columns && cursor[1] >= 0 && cursor[1] < heat.rows ? cellsBetween(heat, cursor, cursor) : null;
  const said = chosen && drag ? chosen : under;
  const tell = (cells: Cells): string => {
    const { spans, errors } = countOf(heat, cells);
    const part = boxOf(heat, cells);
    return t.why.heat.cell(
      dateTime(part.from),
      `${formatDuration(part.shortest)} – ${formatDuration(part.longest)}`,
      t.counts.spans(spans),
      errors > 0 ? t.counts.errors(errors) : "",
    );
  };
  const rectangle = (cells: Cells) => ({
    left: PAD.left + cells.left * cell.width,
    top: PAD.top + (heat.rows - 1 - cells.top) * cell.height,
    width: (cells.right - cells.left + 1) * cell.width,
    height: (cells.top - cells.bottom + 1) * cell.height,
  });
  return (
    <div
      ref={ref}
      className="ly-heat-box"
      role="application"
      tabIndex={0}
      aria-label={t.why.heat.label(number(heat.spans), number(heat.errors))}
      aria-describedby={`${id}-keys`}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={onPointerUp}
      onPointerCancel={() => setDrag(null)}
      onPointerLeave={() => setCursor(null)}
      onKeyDown={onKeyDown}
      onBlur={() => setDrag(null)}
    >
      <CanvasView draw={drawn} label={t.why.heat.label(number(heat.spans), number(heat.errors))} className="ly-heat-canvas" />
      {chosen && width > 0 && <span className="ly-heat-brush" style={rectangle(chosen)} />}
      {under && !drag && width > 0 && <span className="ly-heat-cursor" style={rectangle(under)} />}
      <span id={`${id}-keys`} className="ly-hidden">
        {t.why.heat.keys}
      </span>
      <span className="ly-heat-said" role="status" data-side={said && said.left > heat.columns / 2 ? "left" : "right"}>
        {said && tell(said)}
      </span>
    </div>
  );
}

function drawHeat(heat: Heat, shortTime: (micros: number, now: number) => string): Draw {
  return (context, size, colors) => {
    const width = Math.max(1, size.width - PAD.left - PAD.right);
    const height = Math.max(1, size.height - PAD.top - PAD.bottom);
    const [w, h] = [width / heat.columns, height / heat.rows];
    context.font = canvasFont(11);
    context.textBaseline = "middle";
    context.textAlign = "right";
    const every = Math.max(1, Math.ceil(ROW_LABEL_PX / h / heat.perOctave)) * heat.perOctave;
    for (let row = 0; row <= heat.rows; row++) {
      if ((heat.low + row) % every !== 0) continue;
      const y = Math.round(PAD.top + height - row * h) + 0.5;
      context.fillStyle = colors.line;
      context.fillRect(PAD.left, y - 0.5, width, 1);
      context.fillStyle = colors.muted;
      context.fillText(formatDuration(row === 0 ? rowDurations(heat, 0)[0] : rowDurations(heat, row - 1)[1]), PAD.left - 8, y);
    }
    const parts = Math.max(2, Math.floor(width / TIME_TICK_PX));
    const now = Date.now() * 1000;
    context.fillStyle = colors.muted;
    for (let at = 0; at <= parts; at++) {
      const micros = heat.start + (heat.columns * heat.stepMicros * at) / parts;
      context.textAlign = at === 0 ? "left" : at === parts ? "right" : "center";
      context.fillText(shortTime(micros, now), PAD.left + (width * at) / parts, size.height - 10);
    }
    for (const { column, row, spans, errors } of heat.cells) {
      const x = PAD.left + column * w;
      const y = PAD.top + (heat.rows - 1 - row) * h;
      const gap = w > 4 ? 1 : 0;
      context.globalAlpha = strength(heat, spans);
      context.fillStyle = colors.accent;
      context.fillRect(x, y, Math.max(1, w - gap), Math.max(1, h - (h > 4 ? 1 : 0)));
      if (errors > 0) {
        // A stripe as high as their part, never too thin to be seen: errors are not colour alone.
        const part = Math.max(2, (h - 1) * (errors / spans));
        context.globalAlpha = 1;
        context.fillStyle = colors.error;
        context.fillRect(x, y + h - part - (h > 4 ? 1 : 0), Math.max(1.5, w - gap), part);
      }
    }
    context.globalAlpha = 1;
  };
}
