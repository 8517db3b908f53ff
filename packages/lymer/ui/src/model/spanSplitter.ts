/** Takes a trace in Jaeger's JSON apart while it arrives, one span at a time, so that it need not fit in memory. */

import type { JaegerProcess, JaegerSpan } from "./jaeger.ts";

/** What stands open around a span: the answer, its list of traces, a trace, its list of spans. */
const SPAN_DEPTH = 4;
const QUOTE = 34;
const BACKSLASH = 92;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;

export class SpanSplitter {
  readonly #onSpan: (span: JaegerSpan) => void;
  /** One entry for each thing that stands open: true for a list. */
  readonly #open: boolean[] = [];
  #inText = false;
  #escaped = false;
  /** Text of the span being read, from the pieces before this one. */
  #span = "";
  /** Everything that is not a span. */
  #rest = "";

  constructor(onSpan: (span: JaegerSpan) => void) {
    this.#onSpan = onSpan;
  }

  /** Take the next piece of text. */
  push(piece: string): void {
    let from = 0;
    for (let at = 0; at < piece.length; at++) {
      const sign = piece.charCodeAt(at);
      if (this.#inText) {
        if (this.#escaped) this.#escaped = false;
        else if (sign === BACKSLASH) this.#escaped = true;
        else if (sign === QUOTE) this.#inText = false;
      } else if (sign === QUOTE) {
        this.#inText = true;
      } else if (sign === OPEN_BRACE || sign === OPEN_BRACKET) {
        if (sign === OPEN_BRACE && this.#atSpans()) {
          this.#rest += piece.slice(from, at);
          from = at;
        }
        this.#open.push(sign === OPEN_BRACKET);
      } else if (sign === CLOSE_BRACE || sign === CLOSE_BRACKET) {
        this.#open.pop();
        if (sign === CLOSE_BRACE && this.#atSpans()) {
          this.#onSpan(JSON.parse(this.#span + piece.slice(from, at + 1)) as JaegerSpan);
          this.#span = "";
          from = at + 1;
        }
      }
    }
    if (this.#inSpan()) this.#span += piece.slice(from);
    else this.#rest += piece.slice(from);
  }

  /** Return the processes, once everything has arrived. */
  finish(): Readonly<Record<string, JaegerProcess>> {
    // Between the spans only commas are left over.
    const text = this.#rest.replace(/\[\s*(?:,\s*)+\]/g, "[]");
    const answer = JSON.parse(text) as {
      readonly data: readonly { readonly processes?: Readonly<Record<string, JaegerProcess>> }[] | null;
    };
    return answer.data?.[0]?.processes ?? {};
  }

  #atSpans(): boolean {
    const open = this.#open;
    return open.length === SPAN_DEPTH && !open[0] && open[1] && !open[2] && open[3];
  }

  #inSpan(): boolean {
    const open = this.#open;
    return open.length > SPAN_DEPTH && open[1] && open[3];
  }
}
