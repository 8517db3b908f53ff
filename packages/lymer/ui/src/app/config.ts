/** What the server tells the page: the JSON block `lymer-config` in index.html. */

import { readUiSettings, type UiSettings } from "../model/uiConfig.ts";

export interface Config {
  readonly version: string;
  readonly otlpGrpc: string;
  readonly otlpHttp: string;
  readonly capabilities: {
    readonly archiveStorage: boolean;
    readonly metricsStorage: boolean;
    readonly searchWithoutServiceName: boolean;
    readonly aiAssistant: boolean;
  };
  /** The site's own file, as it is: JSON, or what its `UIConfig()` returned. */
  readonly ui: unknown;
}

const DEFAULTS: Config = {
  version: "dev",
  otlpGrpc: "localhost:4317",
  otlpHttp: "http://localhost:4318",
  capabilities: {
    archiveStorage: false,
    metricsStorage: false,
    searchWithoutServiceName: true,
    aiAssistant: false,
  },
  ui: {},
};

function readConfig(): Config {
  const text = document.getElementById("lymer-config")?.textContent ?? "{}";
  return { ...DEFAULTS, ...(JSON.parse(text) as Partial<Config>) };
}

/** A site's file may be a script that defines `UIConfig`; it is loaded before this page. */
function siteSettings(config: Config): unknown {
  const make = (window as { readonly UIConfig?: unknown }).UIConfig;
  if (typeof make !== "function") return config.ui;
  try {
    return (make as () => unknown)();
  } catch (error) {
    console.error("cannot read the site's ui configuration: UIConfig() failed", error);
    return {};
  }
}

export const config: Config = readConfig();

/** The site's settings, laid over Jaeger's defaults. */
export const settings: UiSettings = readUiSettings(siteSettings(config));

/** Path under which the UI is served, without the last slash: empty, or `/lymer`. */
export const basePath: string = new URL(document.baseURI).pathname.replace(/\/[^/]*$/, "");

/** Return the address of something this server serves. */
export function serverUrl(path: string): string {
  return new URL(path, document.baseURI).href;
}
