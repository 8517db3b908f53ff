/** What the search form asks, in the search language. */

import { parseDuration } from "./duration.ts";
import { quoted } from "./narrow.ts";
import type { Question } from "./question.ts";

const PLAIN_KEY = /^[^\s{}()=~!<>&|^,"]+$/;
const NUMBER = /^-?\d+(\.\d+)?$/;

function key(name: string): string {
  return PLAIN_KEY.test(name) ? name : quoted(name);
}

/** A tag of the form means a text as well as the number or truth value that looks like it. */
function tag(name: string, value: string): string {
  if (name === "error" && value === "true") return "status = error";
  const text = `.${key(name)} = ${quoted(value)}`;
  if (NUMBER.test(value) || value === "true" || value === "false") return `(.${key(name)} = ${value} || ${text})`;
  return text;
}

/** Go's `1.5s` is the language's, too; what cannot be read is left out. */
function duration(sign: string, text: string): string[] {
  return text && parseDuration(text) !== null ? [`duration ${sign} ${text.replaceAll(/\s/g, "")}`] : [];
}

/** Return the question of the form in the language; what is asked in it already, as it is. */
export function languageOf(question: Question): string {
  if (question.query) return question.query;
  const conditions = [
    ...(question.service ? [`resource.service.name = ${quoted(question.service)}`] : []),
    ...(question.operation ? [`name = ${quoted(question.operation)}`] : []),
    ...Object.entries(question.tags).map(([name, value]) => tag(name, value)),
    ...duration(">=", question.minDuration),
    ...duration("<=", question.maxDuration),
  ];
  return conditions.length > 0 ? `{ ${conditions.join(" && ")} }` : "{ }";
}
