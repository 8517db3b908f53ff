/** What the server says of a question, in the language of the page. */

import { useEffect, useState } from "react";

import { useLocale, type Language } from "./index.ts";

type Words = Readonly<Record<string, string>>;

/** By language, what says the same as a sentence of the server; `{0}` stands for what it names. */
const WORDS: Partial<Record<Language, () => Promise<{ readonly default: Words }>>> = {
  ko: () => import("./errors.ko.json"),
};

interface Sentence {
  readonly pattern: RegExp;
  readonly said: string;
}

/** Make patterns of sentences, those with the most words of their own first. */
export function sentences(words: Words): Sentence[] {
  return Object.entries(words)
    .toSorted(([one], [other]) => other.replaceAll(/\{\d\}/g, "").length - one.replaceAll(/\{\d\}/g, "").length)
    .map(([theirs, said]) => {
      const escaped = theirs.split(/\{\d\}/).map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`));
      return { pattern: new RegExp(`^${escaped.join("(.*?)")}$`, "su"), said };
    });
}

/** Return a sentence of the server in other words, as it is where there are none; parts of it likewise. */
export function inWords(known: readonly Sentence[], text: string): string {
  for (const { pattern, said } of known) {
    const parts = pattern.exec(text);
    if (parts) return said.replaceAll(/\{(\d)\}/g, (_, place: string) => inWords(known, parts[Number(place) + 1] ?? ""));
  }
  const split = text.indexOf("; ");
  return split > 0 ? `${inWords(known, text.slice(0, split))}; ${inWords(known, text.slice(split + 2))}` : text;
}

const loaded = new Map<Language, readonly Sentence[]>();

/** Return what translates a sentence of the server; until its words are loaded it stays as it is. */
export function useServerWords(): (text: string) => string {
  const { language } = useLocale();
  const [, tell] = useState(0);
  useEffect(() => {
    if (loaded.has(language)) return;
    void WORDS[language]?.().then(({ default: words }) => {
      loaded.set(language, sentences(words));
      tell((now) => now + 1);
    }, () => undefined);
  }, [language]);
  const known = loaded.get(language);
  return (text) => (known ? inWords(known, text) : text);
}
