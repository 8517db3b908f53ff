/** How the UI is built: hashed files under static/, relative to the base path of the server. */

import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

import { budget } from "./build/budget.ts";
import { compress } from "./build/compress.ts";
import { mockServer } from "./dev/mock.mjs";

/** A running Lymer to develop against, such as http://127.0.0.1:16686; without it, the mock. */
const api = process.env["LYMER_API"];

export default defineConfig({
  base: "./",
  plugins: [react(), budget(), compress(), mockServer()],
  build: {
    outDir: "../src/lymer/ui/dist",
    emptyOutDir: true,
    assetsDir: "static",
    assetsInlineLimit: 0, // data: URLs would need a hole in the content security policy
    target: "es2023",
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: false,
  },
  worker: { format: "es" },
  server: { host: "127.0.0.1", port: 24680, strictPort: true, ...(api ? { proxy: { "/api": api } } : {}) },
});
