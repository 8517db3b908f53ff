/** Loads a whole trace, span by span, and answers questions about its attributes, away from the page. */

import { AttributeIndex, type KeyCount, type TraceEvent } from "../model/attributeIndex.ts";
import type { FindTerms } from "../model/find.ts";
import type { JaegerTrace } from "../model/jaeger.ts";
import { SpanSplitter } from "../model/spanSplitter.ts";

/** Where the trace is, or the trace itself. */
export type TraceOrigin = { readonly url: string } | { readonly trace: JaegerTrace };

export type Question =
  | { readonly kind: "open"; readonly origin: TraceOrigin }
  | { readonly kind: "find"; readonly terms: FindTerms }
  | { readonly kind: "keys" }
  | { readonly kind: "values"; readonly key: string }
  | { readonly kind: "events" };

export interface Answers {
  readonly open: null;
  readonly find: readonly string[];
  readonly keys: readonly KeyCount[];
  readonly values: ReadonlyMap<string, string>;
  readonly events: { readonly events: readonly TraceEvent[]; readonly count: number };
}

export interface Ask {
  readonly ticket: number;
  readonly question: Question;
}

export interface Reply {
  readonly ticket: number;
  readonly answer?: Answers[keyof Answers];
  /** What went wrong, and the HTTP status if the server said so, else 0. */
  readonly failure?: { readonly message: string; readonly status: number };
}

class LoadError extends Error {
  constructor(message: string, readonly status: number) {
    super(message);
  }
}

let origin: TraceOrigin | null = null;
let loading: Promise<AttributeIndex> | null = null;

async function load(from: TraceOrigin): Promise<AttributeIndex> {
  if ("trace" in from) return AttributeIndex.of(from.trace);
  const response = await fetch(from.url, { headers: { Accept: "application/json" } });
  if (!response.ok || !response.body) throw new LoadError((await response.text()).slice(0, 300), response.status);
  const index = new AttributeIndex();
  const splitter = new SpanSplitter((span) => index.add(span));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) splitter.push(piece.value);
  index.finish(splitter.finish());
  return index;
}

async function answer(question: Question): Promise<Answers[keyof Answers]> {
  if (question.kind === "open") {
    origin = question.origin;
    loading = null;
    return null;
  }
  if (!origin) throw new LoadError("no trace was opened", 0);
  loading ??= load(origin);
  let index: AttributeIndex;
  try {
    index = await loading;
  } catch (error) {
    loading = null; // the next question tries again
    throw error;
  }
  switch (question.kind) {
    case "find":
      return index.find(question.terms);
    case "keys":
      return index.keys();
    case "values":
      return index.values(question.key);
    case "events":
      return { events: index.events, count: index.eventCount };
  }
}

self.onmessage = async (event: MessageEvent<Ask>): Promise<void> => {
  const { ticket, question } = event.data;
  let reply: Reply;
  try {
    reply = { ticket, answer: await answer(question) };
  } catch (error) {
    const status = error instanceof LoadError ? error.status : 0;
    reply = { ticket, failure: { message: error instanceof Error ? error.message : String(error), status } };
  }
  self.postMessage(reply);
};
