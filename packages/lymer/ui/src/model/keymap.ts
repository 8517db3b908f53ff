/** Jaeger's keys on the trace page, exactly; and the text of each for the help. */

export type Action =
  | "scrollDown" | "scrollUp" | "nextSpan" | "previousSpan"
  | "panLeft" | "panLeftFast" | "panRight" | "panRightFast"
  | "zoomIn" | "zoomInFast" | "zoomOut" | "zoomOutFast"
  | "collapseAll" | "expandAll" | "collapseOne" | "expandOne"
  | "find" | "clear" | "help";

/** Action → the keys that start it, as `shift+arrowleft`, lower case. */
export const KEYMAP: Readonly<Record<Action, readonly string[]>> = {
  scrollDown: ["s"],
  scrollUp: ["w"],
  nextSpan: ["f"],
  previousSpan: ["b"],
  panLeft: ["a", "arrowleft"],
  panLeftFast: ["shift+a", "shift+arrowleft"],
  panRight: ["d", "arrowright"],
  panRightFast: ["shift+d", "shift+arrowright"],
  zoomIn: ["arrowup"],
  zoomInFast: ["shift+arrowup"],
  zoomOut: ["arrowdown"],
  zoomOutFast: ["shift+arrowdown"],
  collapseAll: ["]"],
  expandAll: ["["],
  collapseOne: ["p"],
  expandOne: ["o"],
  find: ["ctrl+b"],
  clear: ["escape"],
  help: ["?"],
};

const BY_KEY = new Map<string, Action>(
  Object.entries(KEYMAP).flatMap(([action, keys]) => keys.map((key) => [key, action as Action])),
);

/** The part of a keyboard event that matters here. */
export interface KeyPress {
  readonly key: string;
  /** Place on the keyboard, as `KeyF`. */
  readonly code: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly shiftKey: boolean;
}

const SYMBOL_CODES: Readonly<Record<string, string>> = {
  BracketLeft: "[",
  BracketRight: "]",
  Slash: "/",
};

/**
 * Return the Latin sign of a key press, lower case.
 *
 * A layout with Latin letters is taken at its word (Dvorak, AZERTY); in any other, Korean or
 * Cyrillic, and while an input method composes, the place of the key says which is meant.
 */
export function latinKey(press: Pick<KeyPress, "key" | "code" | "shiftKey">): string {
  const named = press.key.length > 1 && press.key !== "Process" && press.key !== "Unidentified";
  if (named || /^[!-~]$/.test(press.key)) return press.key.toLowerCase();
  if (/^Key[A-Z]$/.test(press.code)) return press.code.slice(3).toLowerCase();
  if (press.code === "Slash" && press.shiftKey) return "?";
  return SYMBOL_CODES[press.code] ?? press.key.toLowerCase();
}

/** Return what a key press means, or null. Symbols such as `?` are taken as typed, shift or not. */
export function actionFor(press: KeyPress): Action | null {
  if (press.altKey || press.metaKey) return null;
  const key = latinKey(press);
  const symbol = key.length === 1 && !/[a-z0-9]/.test(key);
  const shift = press.shiftKey && !symbol ? "shift+" : "";
  return BY_KEY.get(`${press.ctrlKey ? "ctrl+" : ""}${shift}${key}`) ?? null;
}
