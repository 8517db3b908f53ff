/** Questions asked before and those worth keeping, in this browser. */

import { keep, kept } from "../app/storage.ts";

const KEY = "lymer.questions";
const RECENT_MAX = 20;
const SAVED_MAX = 100;

export interface Asked {
  /** The newest first. */
  readonly recent: readonly string[];
  readonly saved: readonly string[];
}

const NOTHING: Asked = { recent: [], saved: [] };

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

/** Read what is kept; what cannot be read counts as nothing. */
export function readAsked(text: string | null): Asked {
  try {
    const kept = JSON.parse(text ?? "{}") as { readonly recent?: unknown; readonly saved?: unknown } | null;
    return { recent: texts(kept?.recent), saved: texts(kept?.saved) };
  } catch {
    return NOTHING;
  }
}

/** Put a question in front of the recent ones. */
export function withRecent(asked: Asked, question: string): Asked {
  const recent = [question, ...asked.recent.filter((one) => one !== question)].slice(0, RECENT_MAX);
  return { ...asked, recent };
}

/** Keep a question, or keep it no longer. */
export function withSaved(asked: Asked, question: string, keep: boolean): Asked {
  const others = asked.saved.filter((one) => one !== question);
  return { ...asked, saved: keep ? [question, ...others].slice(0, SAVED_MAX) : others };
}

export function loadAsked(): Asked {
  return readAsked(kept(KEY));
}

export function storeAsked(asked: Asked): void {
  keep(KEY, JSON.stringify(asked));
}
