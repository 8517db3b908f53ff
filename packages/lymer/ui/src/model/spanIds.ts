/**
 * The ids of the spans of one trace, as bytes: a text is made of an id when somebody reads it.
 *
 * Two hundred thousand texts of 16 digits take 10 MB and as much again while they are made; their bytes, which lie in the
 * server's answer, 1.6 MB.
 */

/** Ids of spans as texts, or as pairs of words: the upper half, the lower half. */
export type IdList = Iterable<string> | Uint32Array;

/** N ids by span. Leading zeros of an id, and whether its letters are capitals, do not count. */
export interface SpanIds {
  /** The id of a span: 16 lower-case hex digits, or what stood in a file. */
  readonly at: (span: number) => string;
  /** Set the flag of every span whose id is among `ids`. */
  readonly mark: (ids: IdList, flags: Uint8Array) => void;
  /** The ids of some spans, in their order. */
  readonly pick: (spans: readonly number[]) => SpanIds;
}

const DIGITS = 16;
const WORD_DIGITS = 8;

/** An id as it is compared. */
export function plainId(id: string): string {
  return id.replace(/^0+/, "").toLowerCase();
}

/** Return the first span of each of the ids that is in the trace, by its `plainId`. */
export function placesOf(ids: Iterable<string>, trace: { readonly spanId: SpanIds; readonly count: number }): Map<string, number> {
  const flags = new Uint8Array(trace.count);
  trace.spanId.mark(ids, flags);
  const places = new Map<string, number>();
  for (let span = flags.indexOf(1); span >= 0; span = flags.indexOf(1, span + 1)) {
    const id = plainId(trace.spanId.at(span));
    if (!places.has(id)) places.set(id, span);
  }
  return places;
}

function digits(value: number): string {
  return value.toString(16).padStart(WORD_DIGITS, "0");
}

/** Read eight hex digits from `at` on; NaN if they are none. */
function word(id: string | Uint8Array, at: number): number {
  let value = 0;
  for (let place = at; place < at + WORD_DIGITS; place++) {
    const code = (typeof id === "string" ? id.charCodeAt(place) : id[place]) | 0x20;
    const digit = code >= 0x30 && code <= 0x39 ? code - 0x30 : code >= 0x61 && code <= 0x66 ? code - 0x57 : Number.NaN;
    value = value * 16 + digit;
  }
  return value;
}

/** Return ids as pairs of words; what is no id is left out. */
function wordsOf(ids: Iterable<string>): Uint32Array {
  const list = [...ids];
  const words = new Uint32Array(list.length * 2);
  let count = 0;
  for (const text of list) {
    const id = text.padStart(DIGITS, "0");
    const high = word(id, id.length - DIGITS);
    const low = word(id, id.length - WORD_DIGITS);
    if (Number.isNaN(high + low) || (id.length > DIGITS && plainId(id).length > DIGITS)) continue;
    words[count++] = high;
    words[count++] = low;
  }
  return words.subarray(0, count);
}

const QUOTE = 0x22;
const [OPEN, CLOSE] = [0x5b, 0x5d];

/**
 * Read the first list of ids, of 16 hex digits each, in a JSON text, without a text for each of them.
 *
 * Of a word that occurs in all of 200,000 spans the answer has 4 MB; as texts its ids would take five times that.
 */
export function readIds(json: Uint8Array): Uint32Array {
  const from = json.indexOf(OPEN) + 1;
  const end = json.indexOf(CLOSE, from);
  const words = new Uint32Array(Math.ceil(Math.max(0, end - from) / (DIGITS + 3)) * 2);
  let count = 0;
  for (let at = json.indexOf(QUOTE, from); at >= 0 && at < end; at = json.indexOf(QUOTE, at + DIGITS + 2)) {
    words[count++] = word(json, at + 1);
    words[count++] = word(json, at + 1 + WORD_DIGITS);
  }
  return words.subarray(0, count);
}

/** Ids that are looked up in a table of hashes; a place that is taken leads to the next one. */
class Wanted {
  readonly #high: Uint32Array;
  readonly #low: Uint32Array;
  readonly #taken: Uint8Array;
  readonly #mask: number;

  constructor(words: Uint32Array) {
    const size = 2 ** Math.ceil(Math.log2(words.length + 2));
    this.#mask = size - 1;
    this.#high = new Uint32Array(size);
    this.#low = new Uint32Array(size);
    this.#taken = new Uint8Array(size);
    for (let at = 0; at < words.length; at += 2) {
      const place = this.#place(words[at], words[at + 1]);
      this.#taken[place] = 1;
      this.#high[place] = words[at];
      this.#low[place] = words[at + 1];
    }
  }

  has(high: number, low: number): boolean {
    return this.#taken[this.#place(high, low)] === 1;
  }

  /** Where an id is, or would be. */
  #place(high: number, low: number): number {
    let place = (Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1) >>> 7) & this.#mask;
    while (this.#taken[place] && (this.#high[place] !== high || this.#low[place] !== low)) place = (place + 1) & this.#mask;
    return place;
  }
}

/** Ids of eight bytes each, big-endian, one after the other. */
export class PackedIds implements SpanIds {
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  at(span: number): string {
    return digits(this.#view.getUint32(span * 8)) + digits(this.#view.getUint32(span * 8 + 4));
  }

  mark(ids: IdList, flags: Uint8Array): void {
    const words = ids instanceof Uint32Array ? ids : wordsOf(ids);
    if (words.length === 0) return;
    const wanted = new Wanted(words);
    const view = this.#view;
    for (let at = 0; at < view.byteLength; at += 8) if (wanted.has(view.getUint32(at), view.getUint32(at + 4))) flags[at / 8] = 1;
  }

  pick(spans: readonly number[]): SpanIds {
    const picked = new DataView(new ArrayBuffer(spans.length * 8));
    spans.forEach((span, place) => picked.setBigUint64(place * 8, this.#view.getBigUint64(span * 8)));
    return new PackedIds(new Uint8Array(picked.buffer));
  }
}

function textsOf(words: Uint32Array): string[] {
  return Array.from({ length: words.length / 2 }, (_, at) => digits(words[at * 2]) + digits(words[at * 2 + 1]));
}

/** Ids as they stand in a file, whatever they are. */
export class TextIds implements SpanIds {
  readonly #texts: readonly string[];

  constructor(texts: readonly string[]) {
    this.#texts = texts;
  }

  at(span: number): string {
    return this.#texts[span];
  }

  mark(ids: IdList, flags: Uint8Array): void {
    const wanted = new Set(Array.from(ids instanceof Uint32Array ? textsOf(ids) : ids, plainId));
    this.#texts.forEach((text, span) => {
      if (wanted.has(plainId(text))) flags[span] = 1;
    });
  }

  pick(spans: readonly number[]): SpanIds {
    return new TextIds(spans.map((span) => this.#texts[span]));
  }
}
