/** Typed parameters of an address: what cannot be read counts as not given. */

/** How one parameter is read from and written to an address; the default is not written. */
export interface Codec<T> {
  read(texts: readonly string[]): T;
  write(value: T): readonly string[];
}

export type Schema = Readonly<Record<string, Codec<unknown>>>;

export type Values<S extends Schema> = {
  readonly [K in keyof S]: S[K] extends Codec<infer T> ? T : never;
};

/** Any text; absent and empty are the same. */
export function text(): Codec<string> {
  return { read: (texts) => texts[0] ?? "", write: (value) => (value ? [value] : []) };
}

/** Several texts: repeated parameters. */
export function texts(): Codec<readonly string[]> {
  return { read: (all) => all.filter(Boolean), write: (value) => value };
}

/** One of a list, else the first. */
export function oneOf<T extends string>(all: readonly T[]): Codec<T> {
  return {
    read: ([value]) => all.find((known) => known === value) ?? all[0],
    write: (value) => (value === all[0] ? [] : [value]),
  };
}

/** A whole number within bounds, else the default. */
export function whole(byDefault: number, min: number, max: number): Codec<number> {
  return {
    read: ([value]) => {
      const number = /^\d{1,16}$/.test(value ?? "") ? Number(value) : Number.NaN;
      return number >= min && number <= max ? number : byDefault;
    },
    write: (value) => (value === byDefault ? [] : [String(value)]),
  };
}

/** A switch as Jaeger writes it: `1`, also `true`. */
export function flag(): Codec<boolean> {
  return {
    read: ([value]) => value === "1" || value === "true",
    write: (value) => (value ? ["1"] : []),
  };
}

export interface Sorting {
  readonly column: string;
  readonly descending: boolean;
}

/** How a table is sorted, as `total` or `-total`; the first column, downwards unless `rising`, is not written. */
export function sorting(columns: readonly string[], rising = false): Codec<Sorting> {
  const byDefault = { column: columns[0], descending: !rising };
  return {
    read: ([value = ""]) => {
      const descending = value.startsWith("-");
      const column = columns.find((known) => known === value.slice(descending ? 1 : 0));
      return column === undefined ? byDefault : { column, descending };
    },
    write: ({ column, descending }) =>
      column === byDefault.column && descending === byDefault.descending ? [] : [`${descending ? "-" : ""}${column}`],
  };
}

/** Read all parameters of a schema. */
export function readParams<S extends Schema>(schema: S, params: URLSearchParams): Values<S> {
  const entries = Object.entries(schema).map(([name, codec]) => [name, codec.read(params.getAll(name))]);
  return Object.fromEntries(entries) as Values<S>;
}

/** Return `params` with what `patch` names written anew; the rest stays, in its order. */
export function patchParams<S extends Schema>(
  schema: S,
  params: URLSearchParams,
  patch: Partial<Values<S>>,
): URLSearchParams {
  const next = new URLSearchParams(params);
  for (const [name, value] of Object.entries(patch)) {
    const written = schema[name].write(value);
    if (written.length === 1) next.set(name, written[0]);
    else {
      next.delete(name);
      for (const one of written) next.append(name, one);
    }
  }
  return next;
}

/** Write parameters so that people can read them: commas and at signs stay as they are. */
export function queryText(params: URLSearchParams): string {
  return params.toString().replaceAll("%2C", ",").replaceAll("%40", "@").replaceAll("%3A", ":");
}
