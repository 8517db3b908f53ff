/** Types of the mock server, for `vite.config.ts`. */

import type { Plugin } from "vite";

export function mockServer(): Plugin;
