/** A line chart over time, by uPlot; what it shows is said in words too. */

import { useElementSize } from "@mantine/hooks";
import { useEffect, useRef, type ReactNode } from "react";
import uPlot from "uplot";

import "uplot/dist/uPlot.min.css";
import "../styles/chart.css";

import { useScheme } from "../app/scheme.ts";
import { useLocale } from "../i18n/index.ts";
import { CANVAS_COLORS } from "../model/palette.ts";

export interface ChartLine {
  readonly name: string;
  /** Palette index, or the colour of errors. */
  readonly color: number | "error";
}

interface ChartProps {
  readonly title: string;
  /** The last value in words, for who cannot see the lines. */
  readonly summary: string;
  readonly lines: readonly ChartLine[];
  /** Unix seconds, then a column for each line. */
  readonly data: readonly (readonly (number | null)[])[];
  readonly format: (value: number) => string;
  /** First and last instant of the axis, Unix seconds; without it the data's. */
  readonly window?: readonly [number, number];
  /** Charts with one name move their cursors together. */
  readonly sync: string;
  /** A range was marked by dragging, Unix seconds. */
  readonly onRange?: (from: number, to: number) => void;
}

const HEIGHT_PX = 190;

export function Chart({ title, summary, lines, data, format, window: shown, sync, onRange }: ChartProps): ReactNode {
  const { t, language, clock } = useLocale();
  const timeLabel = t.logs.time;
  const scheme = useScheme();
  const { ref, width } = useElementSize<HTMLDivElement>();
  const box = useRef<HTMLDivElement>(null);
  const ranged = useRef(onRange);
  useEffect(() => {
    ranged.current = onRange;
  });
  useEffect(() => {
    const element = box.current;
    if (!element || width === 0 || (data[0]?.length ?? 0) === 0) return undefined;
    const colors = CANVAS_COLORS[scheme];
    const axis = { stroke: colors.muted, grid: { stroke: colors.line, width: 1 }, ticks: { stroke: colors.line, width: 1 }, font: `11px ${getComputedStyle(document.body).fontFamily}` };
    const colorOf = ({ color }: ChartLine): string => (color === "error" ? colors.error : colors.services[color]);
    const plot = new uPlot(
      {
        width,
        height: HEIGHT_PX,
        legend: { show: true, live: true },
        cursor: { sync: { key: sync }, drag: { x: true, y: false, setScale: false } },
        scales: { ...(shown ? { x: { range: [shown[0], shown[1]] } } : {}), y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] } },
        series: [
          { label: timeLabel, value: (_, value) => (value === null ? "" : clock(value * 1e6)) },
          ...lines.map((line) => ({
            label: line.name,
            stroke: colorOf(line),
            width: 1.5,
            spanGaps: false,
            points: { show: data[0].length < 3 },
            value: (_: uPlot, value: number | null) => (value === null ? "–" : format(value)),
          })),
        ],
        axes: [
          { ...axis, values: (_, splits) => splits.map((split) => clock(split * 1e6)), space: 80 },
          { ...axis, values: (_, splits) => splits.map(format), size: 64 },
        ],
        hooks: {
          setSelect: [
            (self) => {
              const { left, width: marked } = self.select;
              if (marked > 4) ranged.current?.(self.posToVal(left, "x"), self.posToVal(left + marked, "x"));
              if (marked > 0) self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            },
          ],
        },
      },
      data as unknown as uPlot.AlignedData,
      element,
    );
    return () => plot.destroy();
  }, [width, scheme, data, lines, format, shown, sync, language, clock, timeLabel]);
  return (
    <figure className="ly-chart" ref={ref}>
      <figcaption>{title}</figcaption>
      <p className="ly-hidden">{summary}</p>
      <div ref={box} aria-hidden="true" className="ly-chart-box" />
    </figure>
  );
}
