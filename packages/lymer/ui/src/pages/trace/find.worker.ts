/** Loads the whole trace and searches its attributes, away from the page. */

import { findInDetails, type FindTerms } from "../../model/find.ts";
import type { JaegerTrace } from "../../model/jaeger.ts";

export interface FindRequest {
  readonly ticket: number;
  readonly url: string;
  readonly terms: FindTerms;
}

export interface FindReply {
  readonly ticket: number;
  /** Ids of the spans that match, or null if the trace could not be loaded. */
  readonly spanIds: readonly string[] | null;
}

let loaded: { readonly url: string; readonly trace: Promise<JaegerTrace> } | null = null;

async function load(url: string): Promise<JaegerTrace> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const body = (await response.json()) as { readonly data: readonly JaegerTrace[] };
  return body.data[0];
}

self.onmessage = async (event: MessageEvent<FindRequest>): Promise<void> => {
  const { ticket, url, terms } = event.data;
  if (loaded?.url !== url) loaded = { url, trace: load(url) };
  let reply: FindReply;
  try {
    reply = { ticket, spanIds: findInDetails(await loaded.trace, terms) };
  } catch {
    loaded = null; // the next search tries again
    reply = { ticket, spanIds: null };
  }
  self.postMessage(reply);
};
