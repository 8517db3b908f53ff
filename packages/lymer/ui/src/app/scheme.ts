/** Light or dark: what the user has chosen, and what that is on screen now. */

import { useLocalStorage, useMediaQuery } from "@mantine/hooks";
import { useEffect } from "react";

import type { Scheme } from "../model/palette.ts";
import { forcedTheme } from "./embed.ts";

export type SchemeChoice = Scheme | "auto";

const forced = forcedTheme();

function readChoice(text: string | undefined): SchemeChoice {
  return text === "light" || text === "dark" ? text : "auto";
}

/** The user's choice, kept by the browser. */
export function useSchemeChoice(): readonly [SchemeChoice, (choice: SchemeChoice) => void] {
  const [choice, setChoice] = useLocalStorage<SchemeChoice>({
    key: "lymer.scheme",
    defaultValue: "auto",
    getInitialValueInEffect: false,
    serialize: (value) => value,
    deserialize: readChoice,
  });
  return [choice, setChoice];
}

export function useScheme(): Scheme {
  const [choice] = useSchemeChoice();
  const dark = useMediaQuery("(prefers-color-scheme: dark)", false, { getInitialValueInEffect: false }) ?? false;
  return forced ?? (choice === "auto" ? (dark ? "dark" : "light") : choice);
}

/** Tell the style sheets; once, at the top. */
export function useApplyScheme(): void {
  const scheme = useScheme();
  useEffect(() => {
    document.documentElement.dataset["scheme"] = scheme;
  }, [scheme]);
}
