/** What the answers that a page shows lack, as the server says in the header `lymer-partial`. */

import { useSyncExternalStore } from "react";

/** By the path that was asked, so that a whole answer takes back what a partial one said. */
const said = new Map<string, string>();
const listeners = new Set<() => void>();
let shown = "";

/** Remember what an answer from `path` lacks; nothing, if it is whole. */
export function notePartial(path: string, lacks: string): void {
  if (lacks) said.set(path, lacks);
  else if (!said.delete(path)) return;
  tell();
}

/** Forget all of it: another page is shown. */
export function forgetPartial(): void {
  if (said.size === 0) return;
  said.clear();
  tell();
}

/** Return what is lacking, in the server's words; empty if nothing is. */
export function partialText(): string {
  return shown;
}

/** The same for a component, now and whenever it changes. */
export function usePartial(): string {
  return useSyncExternalStore(subscribe, partialText);
}

function tell(): void {
  shown = [...new Set(said.values())].join("; ");
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
