/** The attributes of all spans of a trace, each pair of key and value kept once: to search and to count by. */

import { includesTerm, type FindTerms } from "./find.ts";
import type { JaegerKeyValue, JaegerProcess, JaegerSpan, JaegerTrace } from "./jaeger.ts";

/** One event of the trace. */
export interface TraceEvent {
  readonly spanId: string;
  readonly service: string;
  readonly operation: string;
  /** Unix microseconds. */
  readonly micros: number;
  readonly name: string;
  readonly fields: readonly JaegerKeyValue[];
}

/** A key and on how many spans it stands. */
export interface KeyCount {
  readonly key: string;
  readonly spans: number;
}

/** Events beyond this many are counted and not kept. */
export const EVENTS_MAX = 20_000;

class Interned {
  readonly texts: string[] = [];
  readonly #places = new Map<string, number>();

  place(text: string): number {
    let place = this.#places.get(text);
    if (place === undefined) {
      place = this.texts.push(text) - 1;
      this.#places.set(text, place);
    }
    return place;
  }
}

export class AttributeIndex {
  readonly spanIds: string[] = [];
  /** Events in order of time, up to `EVENTS_MAX`. */
  events: TraceEvent[] = [];
  eventCount = 0;
  readonly #keys = new Interned();
  readonly #pairs = new Interned();
  /** Key and value of each pair. */
  readonly #pairKey: number[] = [];
  readonly #pairValue: string[] = [];
  readonly #tags: Uint32Array[] = [];
  readonly #logs: (Uint32Array | null)[] = [];
  readonly #process: string[] = [];
  readonly #services: string[] = [];
  #processes = new Map<string, Uint32Array>();

  static of(trace: JaegerTrace): AttributeIndex {
    const index = new AttributeIndex();
    for (const span of trace.spans) index.add(span);
    index.finish(trace.processes);
    return index;
  }

  add(span: JaegerSpan): void {
    this.spanIds.push(span.spanID);
    this.#process.push(span.processID);
    this.#tags.push(this.#intern(span.tags));
    this.#logs.push(span.logs.length === 0 ? null : this.#intern(span.logs.flatMap(({ fields }) => fields)));
    for (const { timestamp, fields } of span.logs) {
      this.eventCount++;
      if (this.events.length >= EVENTS_MAX) continue;
      const named = fields.find(({ key }) => key === "event") ?? fields[0];
      this.events.push({
        spanId: span.spanID,
        service: span.processID, // the name is known when the processes have arrived
        operation: span.operationName,
        micros: timestamp,
        name: named ? String(named.value) : "",
        fields,
      });
    }
  }

  finish(processes: Readonly<Record<string, JaegerProcess>>): void {
    for (const [id, { tags }] of Object.entries(processes)) this.#processes.set(id, this.#intern(tags ?? []));
    const nameOf = (id: string): string => processes[id]?.serviceName ?? "";
    for (const id of this.#process) this.#services.push(nameOf(id));
    this.events = this.events
      .map((event) => ({ ...event, service: nameOf(event.service) }))
      .toSorted((a, b) => a.micros - b.micros);
  }

  #intern(pairs: readonly JaegerKeyValue[]): Uint32Array {
    return Uint32Array.from(pairs, ({ key, value }) => {
      const text = String(value);
      const place = this.#pairs.place(`${key}=${text}`);
      if (place === this.#pairKey.length) {
        this.#pairKey.push(this.#keys.place(key));
        this.#pairValue.push(text);
      }
      return place;
    });
  }

  /** Return the ids of the spans whose attributes, resource or events match. */
  find(terms: FindTerms): string[] {
    if (terms.include.length === 0) return [];
    const looked = this.#keys.texts.map((key) => !includesTerm(terms.exclude, key));
    const hit = Uint8Array.from(this.#pairs.texts, (text, pair) =>
      looked[this.#pairKey[pair]] && includesTerm(terms.include, text) ? 1 : 0,
    );
    const any = (pairs: Uint32Array | null | undefined): boolean => pairs?.some((pair) => hit[pair] === 1) ?? false;
    const processes = new Map([...this.#processes].map(([id, pairs]) => [id, any(pairs)]));
    return this.spanIds.filter(
      (_, span) => processes.get(this.#process[span]) === true || any(this.#tags[span]) || any(this.#logs[span]),
    );
  }

  /** Return the keys of spans and resources, the most frequent first. */
  keys(): KeyCount[] {
    const counts = new Map<number, number>();
    const seen = new Set<number>();
    const add = (pairs: Uint32Array | undefined): void => {
      for (const pair of pairs ?? []) seen.add(this.#pairKey[pair]);
    };
    this.#tags.forEach((tags, span) => {
      seen.clear();
      add(tags);
      add(this.#processes.get(this.#process[span]));
      for (const key of seen) counts.set(key, (counts.get(key) ?? 0) + 1);
    });
    return [...counts]
      .map(([key, spans]) => ({ key: this.#keys.texts[key], spans }))
      .toSorted((a, b) => b.spans - a.spans || a.key.localeCompare(b.key));
  }

  /** Return the value of `key` by span id; a span's own goes before its resource's. */
  values(key: string): Map<string, string> {
    const wanted = this.#keys.place(key);
    const values = new Map<string, string>();
    const valueIn = (pairs: Uint32Array | undefined): string | undefined => {
      const pair = pairs?.find((one) => this.#pairKey[one] === wanted);
      return pair === undefined ? undefined : this.#pairValue[pair];
    };
    this.spanIds.forEach((id, span) => {
      const value = valueIn(this.#tags[span]) ?? valueIn(this.#processes.get(this.#process[span]));
      if (value !== undefined) values.set(id, value);
    });
    return values;
  }
}
