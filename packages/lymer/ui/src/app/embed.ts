/** Embedded in another page: Jaeger's `uiEmbed=v0` and its switches, also kept on links. */

import { flag, oneOf, readParams } from "../model/params.ts";
import { useParams } from "./url.ts";

const EMBED = {
  uiEmbed: oneOf(["", "v0"]),
  uiTheme: oneOf(["", "light", "dark"]),
  uiSearchHideGraph: flag(),
  uiTimelineCollapseTitle: flag(),
  uiTimelineHideMinimap: flag(),
  uiTimelineHideSummary: flag(),
};

export interface Embed {
  readonly embedded: boolean;
  readonly hideGraph: boolean;
  readonly collapseTitle: boolean;
  readonly hideMinimap: boolean;
  readonly hideSummary: boolean;
  /** Add what keeps a page embedded to the address of another page. */
  readonly keep: (href: string) => string;
}

export function useEmbed(): Embed {
  const [params] = useParams(EMBED);
  const embedded = params.uiEmbed === "v0";
  return {
    embedded,
    hideGraph: embedded && params.uiSearchHideGraph,
    collapseTitle: embedded && params.uiTimelineCollapseTitle,
    hideMinimap: embedded && params.uiTimelineHideMinimap,
    hideSummary: embedded && params.uiTimelineHideSummary,
    keep: (href) => {
      if (!embedded) return href;
      const now = new URLSearchParams(window.location.search);
      const kept = new URLSearchParams();
      for (const name of Object.keys(EMBED)) {
        const value = now.get(name);
        if (value) kept.set(name, value);
      }
      return `${href}${href.includes("?") ? "&" : "?"}${kept.toString()}`;
    },
  };
}

/** The theme that the page around this one asks for, if it does. It cannot change later. */
export function forcedTheme(): "light" | "dark" | undefined {
  const { uiEmbed, uiTheme } = readParams(EMBED, new URLSearchParams(window.location.search));
  return uiEmbed === "v0" && uiTheme ? uiTheme : undefined;
}

/** Return the address of the present page outside of the other page. */
export function standaloneHref(): string {
  const params = new URLSearchParams(window.location.search);
  for (const name of Object.keys(EMBED)) params.delete(name);
  const query = params.toString();
  return `${window.location.pathname}${query ? `?${query}` : ""}`;
}
