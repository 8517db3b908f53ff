/** What the server tells the page: the JSON block `lymer-config` in index.html. */

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
};

function readConfig(): Config {
  const text = document.getElementById("lymer-config")?.textContent ?? "{}";
  return { ...DEFAULTS, ...(JSON.parse(text) as Partial<Config>) };
}

export const config: Config = readConfig();

/** Path under which the UI is served, without the last slash: empty, or `/lymer`. */
export const basePath: string = new URL(document.baseURI).pathname.replace(/\/[^/]*$/, "");

/** Return the address of something this server serves. */
export function serverUrl(path: string): string {
  return new URL(path, document.baseURI).href;
}
