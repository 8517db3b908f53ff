/** The page's side of the worker that knows every attribute of one trace. */

import { serverUrl } from "../app/config.ts";
import type { FindTerms } from "../model/find.ts";
import type { JaegerTrace } from "../model/jaeger.ts";
import { readIds, type IdList } from "../model/spanIds.ts";
import { api, ApiError, told } from "./client.ts";
import type { Answers, Ask, Question, Reply, TraceOrigin } from "./trace.worker.ts";

interface Waiting {
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
}

export class TraceIndex {
  readonly #origin: TraceOrigin;
  /** By which the server finds a text; null for a trace out of a file. */
  readonly #traceId: string | null;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #ticket = 0;
  #isLoaded = false;

  /** Nothing is loaded before the first question: of a trace that is stored, or of one out of a file. */
  constructor(traceId: string, upload: JaegerTrace | null) {
    this.#traceId = upload ? null : traceId;
    this.#origin = upload ? { trace: upload } : { url: serverUrl(`api/traces/${encodeURIComponent(traceId)}`) };
  }

  /**
   * Return the ids of the spans in which a text occurs. The server looks for it as long as no attribute is here: a worker
   * takes as much memory as a trace of 200,000 spans.
   */
  async find(text: string, terms: FindTerms, signal: AbortSignal): Promise<IdList> {
    if (this.#traceId !== null && !this.#isLoaded) {
      const params = { path: { trace_id: this.#traceId }, query: { text } };
      try {
        const asked = api.GET("/api/lymer/v1/traces/{trace_id}/find", { params, signal, parseAs: "arrayBuffer" });
        return readIds(new Uint8Array(await told(asked)));
      } catch (error) {
        if (signal.aborted) throw error;
      }
    }
    return this.ask({ kind: "find", terms });
  }

  ask<Q extends Question>(question: Q): Promise<Answers[Q["kind"]]> {
    if (!this.#worker) {
      this.#worker = new Worker(new URL("./trace.worker.ts", import.meta.url), { type: "module" });
      this.#worker.onmessage = (event: MessageEvent<Reply>) => this.#settle(event.data);
      void this.#send({ kind: "open", origin: this.#origin });
    }
    const answer = this.#send(question);
    void answer.then(
      () => (this.#isLoaded = true),
      () => undefined,
    );
    return answer;
  }

  close(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#isLoaded = false;
    this.#waiting.clear();
  }

  #send<Q extends Question>(question: Q): Promise<Answers[Q["kind"]]> {
    const message: Ask = { ticket: ++this.#ticket, question };
    return new Promise((resolve, reject) => {
      this.#waiting.set(message.ticket, { resolve, reject });
      this.#worker?.postMessage(message);
    });
  }

  #settle({ ticket, answer, failure }: Reply): void {
    const waiting = this.#waiting.get(ticket);
    this.#waiting.delete(ticket);
    if (failure) waiting?.reject(new ApiError(failure.message, failure.status));
    else waiting?.resolve(answer as never);
  }
}
