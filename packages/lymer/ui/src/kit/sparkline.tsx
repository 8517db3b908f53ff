/** A small line without axes; what it shows is said in words, too. */

import type { ReactNode } from "react";

import "../styles/plain.css";

interface SparklineProps {
  /** All of it in words. */
  readonly label: string;
  readonly values: readonly (number | null)[];
  readonly tone?: "plain" | "error";
}

const WIDTH = 120;
const HEIGHT = 26;

export function Sparkline({ label, values, tone }: SparklineProps): ReactNode {
  const most = values.reduce<number>((max, value) => Math.max(max, value ?? 0), 0);
  const step = WIDTH / Math.max(1, values.length - 1);
  const points = values
    .map((value, at) => `${(at * step).toFixed(1)},${(HEIGHT - 2 - ((value ?? 0) / (most || 1)) * (HEIGHT - 4)).toFixed(1)}`)
    .join(" ");
  return (
    <svg className="ly-spark" role="img" aria-label={label} data-tone={tone ?? "plain"} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} preserveAspectRatio="none">
      <title>{label}</title>
      <polyline points={points} fill="none" vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
