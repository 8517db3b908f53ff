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
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly shiftKey: boolean;
}

/** Return what a key press means, or null. Symbols such as `?` are taken as typed, shift or not. */
export function actionFor(press: KeyPress): Action | null {
  if (press.altKey || press.metaKey) return null;
  const key = press.key.toLowerCase();
  const symbol = key.length === 1 && !/[a-z0-9]/.test(key);
  const shift = press.shiftKey && !symbol ? "shift+" : "";
  return BY_KEY.get(`${press.ctrlKey ? "ctrl+" : ""}${shift}${key}`) ?? null;
}
