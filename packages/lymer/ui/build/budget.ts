/** Vite plugin: the build fails when the JavaScript gets too big. */

import { gzipSync } from "node:zlib";

import type { Plugin, Rollup } from "vite";

/** JavaScript a first visit to the search page loads, kB (1000 bytes) after gzip. */
export const INITIAL_JS_KB_MAX = 180;
/** Any chunk that is loaded later, kB after gzip. */
export const LAZY_CHUNK_KB_MAX = 60;

type Bundle = Readonly<Record<string, Rollup.OutputAsset | Rollup.OutputChunk>>;

function kilobytes(code: string): number {
  return gzipSync(code, { level: 9 }).length / 1000;
}

/** Return the sizes of the first load and of the biggest later chunk, kB after gzip. */
export function measure(bundle: Bundle): { readonly initial: number; readonly lazyMax: number } {
  const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
  const initial = new Set<string>();
  const queue = chunks.filter((chunk) => chunk.isEntry).map((chunk) => chunk.fileName);
  for (let at = 0; at < queue.length; at++) {
    if (initial.has(queue[at])) continue;
    initial.add(queue[at]);
    queue.push(...(chunks.find((chunk) => chunk.fileName === queue[at])?.imports ?? []));
  }
  let size = 0;
  let lazyMax = 0;
  for (const chunk of chunks) {
    const kb = kilobytes(chunk.code);
    if (initial.has(chunk.fileName)) size += kb;
    else lazyMax = Math.max(lazyMax, kb);
  }
  return { initial: size, lazyMax };
}

export function budget(): Plugin {
  return {
    name: "lymer-budget",
    apply: "build",
    writeBundle(_options, bundle) {
      const { initial, lazyMax } = measure(bundle);
      const text = `initial JS ${initial.toFixed(1)} kB of ${INITIAL_JS_KB_MAX}, biggest lazy chunk ${lazyMax.toFixed(1)} kB of ${LAZY_CHUNK_KB_MAX} (gzip)`;
      if (initial > INITIAL_JS_KB_MAX || lazyMax > LAZY_CHUNK_KB_MAX) {
        this.error(`bundle over budget: ${text}`);
      }
      this.info(text);
    },
  };
}
