/**
 * Jaeger's UI configuration, as far as it means something here.
 *
 * Source: Jaeger UI 2.20, `types/config.ts` and `constants/default-config.ts`: names and defaults.
 */

import type { LinkPattern } from "./linkPatterns.ts";

export interface MenuLink {
  readonly label: string;
  readonly url: string;
  readonly anchorTarget?: string;
}

export interface MenuGroup {
  readonly label: string;
  readonly items: readonly MenuLink[];
}

export interface UiSettings {
  readonly archiveEnabled: boolean;
  readonly criticalPathEnabled: boolean;
  readonly dependencies: { readonly menuEnabled: boolean; readonly dagMaxNumServices: number };
  readonly deepDependencies: { readonly menuEnabled: boolean };
  readonly menu: readonly (MenuLink | MenuGroup)[];
  readonly search: {
    readonly maxLookback: { readonly value: string };
    readonly defaultLookback: string;
    readonly maxLimit: number;
    readonly adjustEndTime: string;
  };
  readonly traceIdDisplayLength: number;
  readonly linkPatterns: readonly LinkPattern[];
  readonly monitor: { readonly menuEnabled: boolean };
  readonly qualityMetrics: { readonly menuEnabled: boolean; readonly menuLabel: string };
  readonly themes: { readonly enabled: boolean };
  readonly traceTimeline: {
    readonly enableSidePanel: boolean;
    readonly defaultDetailPanelMode: "inline" | "sidepanel";
  };
  readonly topTagPrefixes: readonly string[];
  readonly disableFileUploadControl: boolean;
  readonly disableJsonView: boolean;
  readonly forbidNewPage: boolean;
  readonly useOpenTelemetryTerms: boolean;
}

export const UI_DEFAULTS: UiSettings = {
  archiveEnabled: true,
  criticalPathEnabled: true,
  dependencies: { menuEnabled: true, dagMaxNumServices: 300 },
  deepDependencies: { menuEnabled: true },
  menu: [],
  search: { maxLookback: { value: "4w" }, defaultLookback: "1h", maxLimit: 1500, adjustEndTime: "" },
  traceIdDisplayLength: 7,
  linkPatterns: [],
  monitor: { menuEnabled: true },
  qualityMetrics: { menuEnabled: true, menuLabel: "" },
  themes: { enabled: true },
  traceTimeline: { enableSidePanel: true, defaultDetailPanelMode: "inline" },
  topTagPrefixes: [],
  disableFileUploadControl: false,
  disableJsonView: false,
  forbidNewPage: false,
  useOpenTelemetryTerms: false,
};

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Lay what a site's file says over the defaults; a value of another type counts as not given. */
function overlay<T>(byDefault: T, given: unknown): T {
  if (Array.isArray(byDefault)) return (Array.isArray(given) ? given : byDefault) as T;
  if (isObject(byDefault)) {
    if (!isObject(given)) return byDefault;
    const entries = Object.entries(byDefault).map(([key, value]) => [key, overlay(value, given[key])]);
    return Object.fromEntries(entries) as T;
  }
  return typeof given === typeof byDefault ? (given as T) : byDefault;
}

function isMenuLink(value: unknown): value is MenuLink {
  return isObject(value) && typeof value["label"] === "string" && typeof value["url"] === "string";
}

function readMenu(menu: readonly unknown[]): (MenuLink | MenuGroup)[] {
  return menu.flatMap((entry): (MenuLink | MenuGroup)[] => {
    if (isMenuLink(entry)) return [entry];
    if (!isObject(entry) || typeof entry["label"] !== "string" || !Array.isArray(entry["items"])) return [];
    return [{ label: entry["label"], items: entry["items"].filter(isMenuLink) }];
  });
}

/** A lookback is a text, or an object with a label for a menu, as Jaeger has both. */
function readDefaultLookback(given: unknown): string {
  const search = isObject(given) && isObject(given["search"]) ? given["search"] : {};
  const wanted = search["defaultLookback"];
  const value = isObject(wanted) ? wanted["value"] : wanted;
  return typeof value === "string" && value ? value : UI_DEFAULTS.search.defaultLookback;
}

/** Read a site's configuration; what is missing or malformed keeps its default. */
export function readUiSettings(given: unknown): UiSettings {
  const settings = overlay(UI_DEFAULTS, given);
  return {
    ...settings,
    menu: readMenu(settings.menu),
    search: { ...settings.search, defaultLookback: readDefaultLookback(given) },
    linkPatterns: settings.linkPatterns.filter(isObject),
    topTagPrefixes: settings.topTagPrefixes.filter((prefix) => typeof prefix === "string"),
  };
}

/** Whether a link may be followed: a web page or one of ours, never a script. */
export function safeUrl(url: string): boolean {
  if (!/^[a-z][a-z0-9+.-]*:/i.test(url.trim())) return true;
  return /^(https?|mailto|ftp|slack|vscode):/i.test(url.trim());
}
