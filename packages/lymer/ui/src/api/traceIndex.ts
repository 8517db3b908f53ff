/** The page's side of the worker that knows every attribute of one trace. */

import { ApiError } from "./client.ts";
import type { Answers, Ask, Question, Reply, TraceOrigin } from "./trace.worker.ts";

interface Waiting {
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
}

export class TraceIndex {
  readonly #origin: TraceOrigin;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #ticket = 0;

  /** Nothing is loaded before the first question. */
  constructor(origin: TraceOrigin) {
    this.#origin = origin;
  }

  ask<Q extends Question>(question: Q): Promise<Answers[Q["kind"]]> {
    if (!this.#worker) {
      this.#worker = new Worker(new URL("./trace.worker.ts", import.meta.url), { type: "module" });
      this.#worker.onmessage = (event: MessageEvent<Reply>) => this.#settle(event.data);
      void this.#send({ kind: "open", origin: this.#origin });
    }
    return this.#send(question);
  }

  close(): void {
    this.#worker?.terminate();
    this.#worker = null;
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
