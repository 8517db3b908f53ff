/** Narrowing a question in the search language by one more condition. */

/** Write a text as the language quotes it. */
export function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

const PLAIN_KEY = /^[A-Za-z_][\w.-]*$/;

interface Attribute {
  readonly scope: string;
  readonly key: string;
  readonly value: string;
}

/** Return the question with a condition more; a question that is no single filter is joined with one. */
export function withCondition(question: string, attribute: Attribute, excluding: boolean): string {
  const key = PLAIN_KEY.test(attribute.key) ? attribute.key : quoted(attribute.key);
  const condition = `${attribute.scope}.${key} ${excluding ? "!=" : "="} ${quoted(attribute.value)}`;
  const body = /^\s*\{([^{}]*)\}\s*$/.exec(question);
  if (!question.trim()) return `{ ${condition} }`;
  if (!body) return `${question} && { ${condition} }`;
  const before = body[1].trim();
  return before ? `{ ${before.includes("||") ? `(${before})` : before} && ${condition} }` : `{ ${condition} }`;
}
