/** One colour per service, told apart by people who see colours differently, in both schemes. */

export type Scheme = "light" | "dark";

/*
 * Twelve hues that differ in lightness as well as in hue. No red: red means error, and errors also
 * carry a hatch and a mark, so that colour is never the only sign.
 */
const LIGHT = [
  "#0b6ea8", "#c07a00", "#16806a", "#a4508b", "#6350a8", "#3f9ad1",
  "#7c6226", "#2f8f3f", "#b0612b", "#5b6b7d", "#8a8f16", "#147f92",
];
const DARK = [
  "#4ba6dd", "#e3a53c", "#3fbf9f", "#d988bf", "#a08ee6", "#86c8ee",
  "#bd9f5a", "#74c476", "#e0945c", "#9aa9ba", "#c3c852", "#4fbccd",
];

/** Colours a canvas needs besides those of the services. */
export interface CanvasColors {
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly surface: string;
  readonly error: string;
  readonly accent: string;
  readonly veil: string;
  readonly services: readonly string[];
}

export const CANVAS_COLORS: Readonly<Record<Scheme, CanvasColors>> = {
  light: {
    text: "#1d2622",
    muted: "#5c6a63",
    line: "#e3e7e2",
    surface: "#ffffff",
    error: "#c62339",
    accent: "#1f6b55",
    veil: "rgba(236, 240, 235, 0.78)",
    services: LIGHT,
  },
  dark: {
    text: "#e4eae6",
    muted: "#9aa8a1",
    line: "#2a332f",
    surface: "#141a18",
    error: "#ff6b7a",
    accent: "#5cc3a2",
    veil: "rgba(12, 17, 15, 0.72)",
    services: DARK,
  },
};

function hash(text: string): number {
  let value = 2166136261;
  for (let at = 0; at < text.length; at++) {
    value = Math.imul(value ^ text.charCodeAt(at), 16777619);
  }
  return (value >>> 0) % LIGHT.length;
}

/**
 * Return an index into the palette for each service.
 *
 * A service keeps its colour from trace to trace (it follows from the name) unless another service
 * of the same trace has it already; then the next free one is taken, while there is one.
 */
export function paletteIndexes(services: readonly string[]): Int32Array {
  const taken = new Set<number>();
  return Int32Array.from(services, (name) => {
    let index = hash(name);
    if (taken.size < LIGHT.length) while (taken.has(index)) index = (index + 1) % LIGHT.length;
    taken.add(index);
    return index;
  });
}

/** Return the palette index of one service on its own. */
export function paletteIndex(service: string): number {
  return hash(service);
}
