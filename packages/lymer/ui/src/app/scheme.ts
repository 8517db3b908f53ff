/** Light or dark, as it is on screen now. */

import { useComputedColorScheme } from "@mantine/core";

import type { Scheme } from "../model/palette.ts";

export function useScheme(): Scheme {
  return useComputedColorScheme("light", { getInitialValueInEffect: false });
}
