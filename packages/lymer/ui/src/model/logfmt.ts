/** Tags as logfmt in the form field and as a JSON object in the URL, both ways. */

export type Tags = Readonly<Record<string, string>>;

export type LogfmtResult =
  | { readonly ok: true; readonly tags: Tags }
  | { readonly ok: false; readonly position: number };

/**
 * Read `key=value other="two words" flag`. A key without `=` means `true`, as in Jaeger.
 *
 * Inside quotes `\"` and `\\` are escapes. A broken text gives the position of the fault.
 */
export function parseLogfmt(text: string): LogfmtResult {
  const tags: Record<string, string> = {};
  const pattern = /\s*(?:([^\s="]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*)))?(?=\s|$))\s*/y;
  const length = text.trimEnd().length;
  while (pattern.lastIndex < length) {
    const position = pattern.lastIndex;
    const match = pattern.exec(text);
    if (!match) return { ok: false, position };
    const [, key, quoted, bare] = match;
    tags[key] = quoted !== undefined ? quoted.replace(/\\(.)/g, "$1") : (bare ?? "true");
  }
  return { ok: true, tags };
}

/** Write tags as logfmt, quoting what needs quotes. */
export function formatLogfmt(tags: Tags): string {
  return Object.entries(tags)
    .map(([key, value]) =>
      /^[^\s"\\=]+$/.test(value) ? `${key}=${value}` : `${key}="${value.replace(/["\\]/g, "\\$&")}"`,
    )
    .join(" ");
}
