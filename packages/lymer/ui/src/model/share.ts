/** The present question as commands for a terminal. */

interface Ask {
  readonly query: string;
  /** Microseconds. */
  readonly start: number;
  readonly end: number;
}

/** Return a text as a POSIX shell reads it, whatever it holds. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

export function curlCommand(base: string, { query, start, end }: Ask, limit: number): string {
  return [
    `curl -sG ${shellQuoted(`${base}/api/search`)}`,
    `--data-urlencode ${shellQuoted(`q=${query}`)}`,
    `-d start=${Math.floor(start)} -d end=${Math.floor(end)} -d limit=${limit}`,
  ].join(" \\\n  ");
}

export function cliCommand(base: string, { query, start, end }: Ask, limit: number): string {
  return `lymer search ${shellQuoted(query)} --since ${Math.ceil((end - start) / 1e6)}s --end ${Math.floor(end)} --limit ${limit} --url ${shellQuoted(base)}`;
}
