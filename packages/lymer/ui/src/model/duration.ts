/** Durations as people read and write them: Go's notation in, three significant digits out. */

const UNITS: readonly (readonly [string, number])[] = [
  ["h", 3_600_000_000_000],
  ["m", 60_000_000_000],
  ["s", 1_000_000_000],
  ["ms", 1_000_000],
  ["us", 1_000],
  ["µs", 1_000],
  ["μs", 1_000],
  ["ns", 1],
];

/** Return nanoseconds for `1.2s`, `100ms`, `1h30m`, or null if the text is not a duration. */
export function parseDuration(text: string): number | null {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|μs|ns)/gy)];
  const length = parts.reduce((sum, part) => sum + part[0].length, 0);
  if (parts.length === 0 || length !== text.trim().length) return null;
  let nanos = 0;
  for (const [, amount, unit] of parts) {
    nanos += Number(amount) * (UNITS.find(([name]) => name === unit)?.[1] ?? 0);
  }
  return nanos;
}

function digits(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return String(Number(value.toFixed(value >= 10 ? 1 : 2)));
}

/** Return a short text such as `2.31ms`, `1.4s` or `3m 20s`. */
export function formatDuration(nanos: number): string {
  const size = Math.abs(nanos);
  const sign = nanos < 0 ? "−" : "";
  if (size === 0) return "0";
  if (size < 1_000) return `${sign}${Math.round(size)}ns`;
  if (size < 999_500) return `${sign}${digits(size / 1_000)}µs`;
  if (size < 999_500_000) return `${sign}${digits(size / 1_000_000)}ms`;
  if (size < 59_950_000_000) return `${sign}${digits(size / 1_000_000_000)}s`;
  const seconds = Math.round(size / 1_000_000_000);
  if (seconds < 3_600) return `${sign}${Math.floor(seconds / 60)}m ${seconds % 60}s`;
  return `${sign}${Math.floor(seconds / 3_600)}h ${Math.floor((seconds % 3_600) / 60)}m`;
}

const TICK_UNITS = [
  ["s", 1_000_000_000],
  ["ms", 1_000_000],
  ["µs", 1_000],
  ["ns", 1],
] as const;

/** Return the text of an instant on a scale with steps of `step` nanoseconds: exact, so never twice the same. */
export function formatTick(nanos: number, step: number): string {
  if (nanos === 0) return "0";
  if (nanos >= 60_000_000_000 && step % 1_000_000_000 === 0) return formatDuration(nanos);
  const [unit, size] = TICK_UNITS.find((entry) => nanos >= entry[1]) ?? TICK_UNITS[3];
  const decimals = Math.max(0, Math.ceil(Math.log10(size / step) - 1e-9));
  const exact = step % (size / 10 ** decimals) === 0 ? decimals : decimals + 1;
  return `${Number((nanos / size).toFixed(Math.min(9, exact)))}${unit}`;
}

/** Return a round step, in nanoseconds, that cuts `range` into at most `count` parts. */
export function tickStep(range: number, count: number): number {
  const raw = Math.max(range / Math.max(count, 1), 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  for (const factor of [1, 2, 2.5, 5, 10]) {
    if (factor * power >= raw) return factor * power;
  }
  return 10 * power;
}
