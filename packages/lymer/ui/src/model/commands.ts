/** Where the command palette leads, and what of it fits what is typed. */

export interface Command {
  readonly label: string;
  /** What sort of thing it is. */
  readonly detail: string;
  /** Where it leads; empty: it does something else. */
  readonly href: string;
}

const SHOWN_MAX = 60;

/** Return what all typed words occur in, whole beginnings first; everything keeps its order else. */
export function rank(all: readonly Command[], typed: string): readonly Command[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const score = ({ label, detail }: Command): number => {
    const text = `${label} ${detail}`.toLowerCase();
    if (!words.every((word) => text.includes(word))) return -1;
    if (words.length === 0) return 0;
    return label.toLowerCase().startsWith(words[0]) ? 2 : 1;
  };
  return all
    .map((command, at) => ({ command, at, score: score(command) }))
    .filter(({ score: fits }) => fits >= 0)
    .toSorted((a, b) => b.score - a.score || a.at - b.at)
    .slice(0, SHOWN_MAX)
    .map(({ command }) => command);
}

/** Whether a key press opens the palette: by the place of the key, so that layouts do not matter. */
export function opensPalette(press: { readonly code: string; readonly ctrlKey: boolean; readonly metaKey: boolean; readonly altKey: boolean; readonly shiftKey: boolean }): boolean {
  return press.code === "KeyK" && (press.ctrlKey || press.metaKey) && !press.altKey && !press.shiftKey;
}
