/** Names that begin alike, told apart where there is little room. */

/** Names up to this length are shown whole. */
const WHOLE_MAX = 24;
/** A common beginning is only left out if it is at least as long. */
const COMMON_MIN = 12;
/** So much of it is kept at most, so that one knows what is left out. */
const HEAD_MAX = 10;

function commonLength(a: string, b: string): number {
  const most = Math.min(a.length, b.length);
  let at = 0;
  while (at < most && a[at] === b[at]) at++;
  return at;
}

/**
 * Return what to show for each name: long ones that share their beginning with another keep its first word,
 * `payments…alpha`. Others stay as they are, and no two become the same.
 */
export function shortNames(names: Iterable<string>): ReadonlyMap<string, string> {
  const sorted = [...new Set(names)].toSorted();
  const shown = new Map(sorted.map((name) => [name, name]));
  sorted.forEach((name, at) => {
    if (name.length <= WHOLE_MAX) return;
    const shared = Math.max(commonLength(name, sorted[at - 1] ?? ""), commonLength(name, sorted[at + 1] ?? ""));
    // Up to the last sign that parts words, so that what is left begins with a whole word.
    const common = /^.*[^\p{L}\p{N}]/su.exec(name.slice(0, shared))?.[0] ?? "";
    if (common.length < COMMON_MIN || common.length === name.length) return;
    const head = /^[\p{L}\p{N}]+/u.exec(common)?.[0].slice(0, HEAD_MAX) ?? "";
    shown.set(name, `${head}…${name.slice(common.length)}`);
  });
  const times = new Map<string, number>();
  for (const short of shown.values()) times.set(short, (times.get(short) ?? 0) + 1);
  for (const [name, short] of shown) if (times.get(short) !== 1) shown.set(name, name);
  return shown;
}
