/** The search one came from, so that the way back from a trace leads there. */

let last = "";

/** Remember the query part of the search page's address. */
export function rememberSearch(query: string): void {
  last = query;
}

/** Return the address of the last search of this visit. */
export function lastSearchHref(): string {
  return last ? `/search?${last}` : "/search";
}
