/** The language in use: dictionary, number and time formats, and where the choice is kept. */

import { createContext, useContext } from "react";

import { keep, kept } from "../app/storage.ts";
import { en, type Dictionary } from "./en.ts";
import { ko } from "./ko.ts";

export type { Dictionary };

export const LANGUAGES = { en: "English", ko: "한국어" } as const;
export type Language = keyof typeof LANGUAGES;

const DICTIONARIES: Readonly<Record<Language, Dictionary>> = { en, ko };
const STORAGE_KEY = "lymer.language";

/** Everything that depends on the language. */
export interface Locale {
  readonly language: Language;
  readonly t: Dictionary;
  readonly setLanguage: (language: Language) => void;
  /** `12,345` */
  readonly number: (value: number) => string;
  /** `12.3K`, for places with little room. */
  readonly compact: (value: number) => string;
  /** `12.5%`, from a share of 1. */
  readonly percent: (share: number) => string;
  /** `14:03:21`, from Unix microseconds. */
  readonly clock: (micros: number) => string;
  /** Date and time to the millisecond, from Unix microseconds. */
  readonly dateTime: (micros: number) => string;
  /** `14:03:21`, with the date if it is not today. */
  readonly shortTime: (micros: number, nowMicros: number) => string;
  /** Time of a tick on an axis: with milliseconds where ticks are less than a second apart, with the date where they are a day apart. */
  readonly tickTime: (micros: number, stepMicros: number) => string;
  /** `3 minutes ago` */
  readonly ago: (micros: number, nowMicros: number) => string;
}

/** Return the stored choice, else the first browser language we have, else English. */
export function initialLanguage(): Language {
  const wanted = [kept(STORAGE_KEY), ...navigator.languages];
  for (const tag of wanted) {
    const language = tag.slice(0, 2).toLowerCase();
    if (language in LANGUAGES) return language as Language;
  }
  return "en";
}

/** Remember the choice. */
export function storeLanguage(language: Language): void {
  keep(STORAGE_KEY, language);
}

const AGO_STEPS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

/** OpenTelemetry's words for what Jaeger calls operations and tags. */
function inTerms(t: Dictionary): Dictionary {
  const { name, allNames, attributes, nameColumn } = t.otel;
  return {
    ...t,
    search: { ...t.search, operation: name, allOperations: allNames, tags: attributes },
    stats: { ...t.stats, operation: name },
    trace: { ...t.trace, nameColumn },
  };
}

/** Make the formats of a language. */
export function makeLocale(language: Language, setLanguage: (to: Language) => void, openTelemetryTerms = false): Locale {
  const numbers = new Intl.NumberFormat(language);
  const compacts = new Intl.NumberFormat(language, { notation: "compact", maximumSignificantDigits: 3 });
  const percents = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
  const full = new Intl.DateTimeFormat(language, {
    year: "numeric",
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    fractionalSecondDigits: 3,
    hourCycle: "h23",
  });
  const clock = new Intl.DateTimeFormat(language, { timeStyle: "medium", hourCycle: "h23" });
  const dayClock = new Intl.DateTimeFormat(language, {
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  const fine = new Intl.DateTimeFormat(language, {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    fractionalSecondDigits: 3,
    hourCycle: "h23",
  });
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  return {
    language,
    t: openTelemetryTerms ? inTerms(DICTIONARIES[language]) : DICTIONARIES[language],
    setLanguage,
    number: (value) => numbers.format(value),
    compact: (value) => compacts.format(value),
    percent: (share) => percents.format(share),
    clock: (micros) => clock.format(micros / 1000),
    dateTime: (micros) => full.format(micros / 1000),
    shortTime: (micros, nowMicros) => {
      const sameDay = new Date(micros / 1000).toDateString() === new Date(nowMicros / 1000).toDateString();
      return (sameDay ? clock : dayClock).format(micros / 1000);
    },
    tickTime: (micros, stepMicros) => {
      const format = stepMicros < 1e6 ? fine : stepMicros < 3_600e6 ? clock : dayClock;
      return format.format(micros / 1000);
    },
    ago: (micros, nowMicros) => {
      const seconds = (nowMicros - micros) / 1e6;
      const step = AGO_STEPS.find(([, size]) => seconds >= size) ?? (["second", 1] as const);
      return relative.format(-Math.round(seconds / step[1]), step[0]);
    },
  };
}

export const LocaleContext = createContext<Locale>(makeLocale("en", () => undefined));

/** Return the language in use. */
export function useLocale(): Locale {
  return useContext(LocaleContext);
}
