/** The bars of the rows on screen, drawn on one canvas that scrolls with them. */

import type { VirtualItem } from "@tanstack/react-virtual";
import { useCallback, type ReactNode } from "react";

import { canvasFont, CanvasView, type Draw } from "../../canvas/CanvasView.tsx";
import { useLocale } from "../../i18n/index.ts";
import { STATUS_ERROR, type TraceColumns } from "../../model/columns.ts";
import type { CriticalPath } from "../../model/critical.ts";
import { formatDuration } from "../../model/duration.ts";
import type { CanvasColors } from "../../model/palette.ts";
import { rangeTicks, type Range } from "../../model/range.ts";
import type { Runs } from "../../model/runs.ts";
import type { TimelineItems } from "../../model/timelineItems.ts";
import type { SpanTree } from "../../model/tree.ts";
import { useShownTrace } from "./context.ts";
import type { FindResult } from "./useFind.ts";

const BAR_PX = 12;
const BAR_PX_MIN = 2;
const CRITICAL_PX = 3;
/** From the middle of a row down to the line of the critical path. */
const CRITICAL_OFFSET_PX = 3;
const LABEL_GAP_PX = 6;
/** A canvas is at most this high: very tall open details must not make it huge. CSS pixels. */
const HEIGHT_PX_MAX = 6000;
/** The height is rounded up to this, so that it seldom changes. */
const HEIGHT_STEP_PX = 256;

interface BarsProps {
  readonly shownRows: readonly VirtualItem[];
  readonly items: TimelineItems;
  readonly range: Range;
  readonly collapsed: Uint8Array;
  readonly runs: Runs;
  readonly opened: Uint8Array;
  readonly trace: TraceColumns;
  readonly found: FindResult;
  /** Whether the critical path is drawn over the bars. */
  readonly critical: boolean;
}

export function Bars({ shownRows, items, range, collapsed, runs, opened, trace, found, critical }: BarsProps): ReactNode {
  const { t } = useLocale();
  const { tree, colors: palette, analysis } = useShownTrace();
  const path = critical ? analysis.critical : null;
  const top = shownRows[0]?.start ?? 0;
  const bottom = shownRows[shownRows.length - 1]?.end ?? 0;
  const height = Math.min(HEIGHT_PX_MAX, Math.ceil((bottom - top) / HEIGHT_STEP_PX) * HEIGHT_STEP_PX);

  const draw = useCallback<Draw>(
    (context, size, colors) => {
      const scale = size.width / (range.to - range.from);
      context.fillStyle = colors.line;
      for (const { nanos } of rangeTicks(range, size.width)) {
        context.fillRect(Math.round((nanos - range.from) * scale), 0, 1, size.height);
      }
      context.font = canvasFont(11);
      context.textBaseline = "middle";
      for (const { index, start, size: rowHeight } of shownRows) {
        const row = items[index];
        if (row < 0) continue;
        const span = tree.order[row];
        const x = (trace.start[span] - range.from) * scale;
        const width = Math.max(BAR_PX_MIN, trace.duration[span] * scale);
        const middle = start - top + rowHeight / 2;
        context.globalAlpha = found.active && found.rows.length > 0 && !found.flags[span] ? 0.35 : 1;
        const color = colors.services[palette[trace.service[span]]];
        const run = runs.at[row];
        if (run >= 0 && !opened[run]) {
          const place = { range, scale, middle, right: size.width };
          drawRun(context, { trace, tree, row, end: runs.end[run], color }, place, colors);
          continue;
        }
        drawBar(context, { x, width, middle, color, failed: trace.status[span] === STATUS_ERROR }, size.width, colors);
        if (path) drawCritical(context, path, span, { range, scale, middle, right: size.width }, colors);
        drawLabel(context, formatDuration(trace.duration[span]), { x, width, middle, color }, size.width, colors);
        if (collapsed[row]) {
          context.fillStyle = color;
          context.fillRect(Math.max(0, x), middle + BAR_PX / 2 + 2, Math.min(width, size.width), 2);
        }
      }
      context.globalAlpha = 1;
    },
    [shownRows, items, range, collapsed, runs, opened, trace, tree, palette, found, top, path],
  );
  return (
    <CanvasView draw={draw} label={t.trace.bars} className="ly-bars" style={{ top, height }} />
  );
}

interface Bar {
  readonly x: number;
  readonly width: number;
  readonly middle: number;
}

/** A bar; a failed one is hatched and has a red outline, so that it shows without colour too. */
function drawBar(
  context: CanvasRenderingContext2D,
  bar: Bar & { readonly color: string; readonly failed: boolean },
  right: number,
  colors: CanvasColors,
): void {
  // Clip to the column first: at deep zoom a bar may be millions of pixels wide.
  const from = Math.max(-4, bar.x);
  const to = Math.min(right + 4, bar.x + bar.width);
  if (to < 0 || from > right) return;
  const top = bar.middle - BAR_PX / 2;
  context.beginPath();
  context.roundRect(from, top, Math.max(BAR_PX_MIN, to - from), BAR_PX, 2.5);
  context.fillStyle = bar.color;
  context.fill();
  if (!bar.failed) return;
  context.save();
  context.clip();
  context.strokeStyle = colors.surface;
  context.globalAlpha *= 0.55;
  context.lineWidth = 1.5;
  context.beginPath();
  for (let x = from - BAR_PX; x < to; x += 6) {
    context.moveTo(x, top + BAR_PX);
    context.lineTo(x + BAR_PX, top);
  }
  context.stroke();
  context.restore();
  context.strokeStyle = colors.error;
  context.lineWidth = 1.5;
  context.strokeRect(from, top, Math.max(BAR_PX_MIN, to - from), BAR_PX);
}

interface RunBar {
  readonly trace: TraceColumns;
  readonly tree: SpanTree;
  readonly row: number;
  readonly end: number;
  readonly color: string;
}

/** Repeated calls on one line: a thin bar from the first to the last, each call on it, and their sum. */
function drawRun(
  context: CanvasRenderingContext2D,
  { trace, tree, row, end, color }: RunBar,
  { range, scale, middle, right }: CriticalPlace,
  colors: CanvasColors,
): void {
  const first = trace.start[tree.order[row]];
  let last = first;
  let sum = 0;
  let drawn = Number.NEGATIVE_INFINITY;
  context.fillStyle = color;
  for (let at = row; at < end; at = tree.end[at]) {
    const span = tree.order[at];
    sum += trace.duration[span];
    last = Math.max(last, trace.start[span] + trace.duration[span]);
    const from = Math.max(0, (trace.start[span] - range.from) * scale);
    const to = Math.min(right, (trace.start[span] + trace.duration[span] - range.from) * scale);
    // What would only paint a painted pixel again is left out.
    if (to < 0 || from > right || to <= drawn) continue;
    context.fillStyle = trace.status[span] === STATUS_ERROR ? colors.error : color;
    context.fillRect(from, middle - BAR_PX / 2, Math.max(1, to - from), BAR_PX);
    drawn = Math.max(from + 1, to);
  }
  const x = (first - range.from) * scale;
  const width = Math.max(BAR_PX_MIN, (last - first) * scale);
  context.fillStyle = color;
  const from = Math.max(0, x);
  context.fillRect(from, middle - 1, Math.max(0, Math.min(right, x + width) - from), 2);
  drawLabel(context, `Σ ${formatDuration(sum)}`, { x, width, middle, color }, right, colors);
}

interface CriticalPlace {
  readonly range: Range;
  readonly scale: number;
  readonly middle: number;
  readonly right: number;
}

/** A dark line along the lower edge of the bar, where the trace was waiting for this span. */
function drawCritical(
  context: CanvasRenderingContext2D,
  path: CriticalPath,
  span: number,
  { range, scale, middle, right }: CriticalPlace,
  colors: CanvasColors,
): void {
  context.fillStyle = colors.text;
  for (let at = path.firstOf[span]; at < path.firstOf[span + 1]; at++) {
    const section = path.byStart[at];
    const from = Math.max(0, (path.from[section] - range.from) * scale);
    const to = Math.min(right, (path.to[section] - range.from) * scale);
    if (to >= from) context.fillRect(from, middle + CRITICAL_OFFSET_PX, Math.max(1, to - from), CRITICAL_PX);
  }
}

/** The duration beside the bar: to its right, else to its left, else inside. */
function drawLabel(
  context: CanvasRenderingContext2D,
  text: string,
  bar: Bar & { readonly color: string },
  right: number,
  colors: CanvasColors,
): void {
  const end = bar.x + bar.width;
  if (end < 0 || bar.x > right) return;
  const room = context.measureText(text).width + LABEL_GAP_PX * 2;
  context.fillStyle = colors.muted;
  if (end + room < right) {
    context.textAlign = "left";
    context.fillText(text, end + LABEL_GAP_PX, bar.middle + 0.5);
  } else if (bar.x > room) {
    context.textAlign = "right";
    context.fillText(text, bar.x - LABEL_GAP_PX, bar.middle + 0.5);
  } else {
    const edge = Math.min(right, end);
    context.fillStyle = bar.color; // covers the hatch, so that the text can be read
    context.fillRect(edge - room + 2, bar.middle - BAR_PX / 2 + 1, room - 3, BAR_PX - 2);
    context.fillStyle = colors.surface;
    context.textAlign = "right";
    context.fillText(text, edge - LABEL_GAP_PX, bar.middle + 0.5);
  }
}
