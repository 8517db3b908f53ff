/** The duration plot: one point per trace, its start to the right, its duration up. */

import { useElementSize, useMergedRef } from "@mantine/hooks";
import { useCallback, useMemo, useRef, useState, type PointerEvent, type ReactNode } from "react";
import { useLocation } from "wouter";

import { canvasFont, CanvasView, type Draw } from "../../canvas/CanvasView.tsx";
import { useEmbed } from "../../app/embed.ts";
import { useLocale } from "../../i18n/index.ts";
import { formatDuration, tickStep } from "../../model/duration.ts";
import { durationTicks, nearestPoint, plotPoints, plotScales, type PlotPoint } from "../../model/plot.ts";
import type { Question } from "../../model/question.ts";
import { summaryName, type Summary } from "../../model/summary.ts";
import { traceHref } from "./hrefs.ts";

const PAD = { left: 58, right: 18, top: 12, bottom: 24 } as const;
/** How far from a point the pointer still finds it, CSS pixels. */
const REACH_PX = 9;
const TIME_TICK_PX = 130;

interface ScatterProps {
  readonly summaries: readonly Summary[];
  readonly question: Question;
  /** Durations over powers of ten. */
  readonly log: boolean;
}

export function Scatter({ summaries, question, log }: ScatterProps): ReactNode {
  const { t, dateTime, tickTime } = useLocale();
  const [, navigate] = useLocation();
  const { keep } = useEmbed();
  const [hover, setHover] = useState<PlotPoint | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const { ref: sizeRef, width, height } = useElementSize<HTMLDivElement>();
  const ref = useMergedRef(box, sizeRef);
  const plot = useMemo(() => {
    const inner = {
      left: PAD.left,
      top: PAD.top,
      width: Math.max(1, width - PAD.left - PAD.right),
      height: Math.max(1, height - PAD.top - PAD.bottom),
    };
    const scales = plotScales(summaries, inner, log);
    return { scales, points: plotPoints(summaries, scales) };
  }, [summaries, width, height, log]);

  const draw = useCallback<Draw>(
    (context, size, colors) => {
      const { scales, points } = plot;
      context.font = canvasFont(11);
      context.textBaseline = "middle";
      context.textAlign = "right";
      context.lineWidth = 1;
      for (const value of durationTicks(scales, log, tickStep(scales.high, 4))) {
        const y = Math.round(scales.y(value)) + 0.5;
        context.fillStyle = colors.line;
        context.fillRect(PAD.left, y - 0.5, size.width - PAD.left - PAD.right, 1);
        context.fillStyle = colors.muted;
        context.fillText(formatDuration(value), PAD.left - 8, y);
      }
      const parts = Math.max(2, Math.floor(size.width / TIME_TICK_PX));
      context.fillStyle = colors.muted;
      for (let at = 0; at <= parts; at++) {
        const micros = scales.from + ((scales.to - scales.from) * at) / parts;
        context.textAlign = at === 0 ? "left" : at === parts ? "right" : "center";
        context.fillText(tickTime(micros, (scales.to - scales.from) / parts), scales.x(micros), size.height - 10);
      }
      for (const { summary, x, y, radius } of points) {
        context.beginPath();
        context.arc(x, y, radius, 0, 2 * Math.PI);
        context.fillStyle = summary.errors > 0 ? colors.error : colors.accent;
        context.globalAlpha = 0.5;
        context.fill();
        context.globalAlpha = 1;
        context.strokeStyle = context.fillStyle;
        context.stroke();
        if (summary.errors > 0) {
          context.fillRect(x - 0.75, y - radius - 4, 1.5, 4); // a stem: not by colour alone
        }
      }
    },
    [plot, log, tickTime],
  );

  const find = (event: PointerEvent): PlotPoint | null => {
    const place = box.current?.getBoundingClientRect();
    return place
      ? nearestPoint(plot.points, event.clientX - place.left, event.clientY - place.top, REACH_PX)
      : null;
  };
  return (
    <div className="ly-plot">
      <div ref={ref} className="ly-plot-box">
        <CanvasView
          draw={draw}
          label={t.search.plotLabel(summaries.length)}
          className="ly-plot-canvas"
          data-hit={hover !== null}
          onPointerMove={(event) => setHover(find(event))}
          onPointerLeave={() => setHover(null)}
          onPointerUp={(event) => {
            const point = find(event);
            if (point) navigate(keep(traceHref(point.summary, question)));
          }}
        />
        {hover && (
          <div
            className="ly-tip"
            data-side={hover.x > width / 2 ? "left" : "right"}
            style={{ left: hover.x, top: hover.y }}
          >
            <strong>{summaryName(hover.summary)}</strong>
            <span>
              {formatDuration(hover.summary.durationNano)} · {t.counts.spans(hover.summary.spans)}
              {hover.summary.errors > 0 && ` · ${t.counts.errors(hover.summary.errors)}`}
            </span>
            <span className="ly-muted">{dateTime(hover.summary.startMicros)}</span>
          </div>
        )}
      </div>
    </div>
  );
}
