/** Spans as they come: what is kept of them, and what had to be left out. */

/** A span as `/api/tail` tells it. */
export interface TailSpan {
  readonly traceID: string;
  readonly spanID: string;
  readonly service: string;
  readonly name: string;
  readonly kind: string;
  readonly status: string;
  readonly startTimeUnixNano: string;
  readonly durationNanos: string;
}

export interface TailState {
  /** The newest first. */
  readonly spans: readonly TailSpan[];
  readonly seen: number;
  readonly dropped: number;
  readonly problem: string;
}

export const TAIL_NOTHING: TailState = { spans: [], seen: 0, dropped: 0, problem: "" };
export const KEPT_MAX = 500;

export type TailEvent =
  | { readonly kind: "spans"; readonly spans: readonly TailSpan[] }
  | { readonly kind: "dropped"; readonly dropped: number }
  | { readonly kind: "problem"; readonly problem: string }
  | { readonly kind: "clear" };

/** Return the state after an event; a span that is told again, after a reconnect, counts once. */
export function afterTail(state: TailState, event: TailEvent): TailState {
  switch (event.kind) {
    case "spans": {
      const known = new Set(state.spans.map(({ traceID, spanID }) => `${traceID} ${spanID}`));
      const fresh = event.spans.filter(({ traceID, spanID }) => !known.has(`${traceID} ${spanID}`));
      return { ...state, problem: "", seen: state.seen + fresh.length, spans: [...fresh.toReversed(), ...state.spans].slice(0, KEPT_MAX) };
    }
    case "dropped":
      return { ...state, dropped: state.dropped + event.dropped };
    case "problem":
      return { ...state, problem: event.problem };
    case "clear":
      return TAIL_NOTHING;
  }
}
