/** Lookbacks in words. */

import type { Dictionary } from "../../i18n/index.ts";

const UNITS = { m: "minute", h: "hour", d: "day", w: "week" } as const;

/** Return `Last 2 hours` for `2h`; what is no lookback stays as it is. */
export function lookbackLabel(t: Dictionary, value: string): string {
  const unit = UNITS[value.slice(-1) as keyof typeof UNITS];
  return unit ? t.search.lookbackLast(Number.parseInt(value, 10), unit) : value;
}
