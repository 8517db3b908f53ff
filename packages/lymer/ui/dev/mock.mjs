/** Vite plugin for `npm run dev`: a made-up server, so that pages can be built without ours. */

import { makeTrace, columnsOf, summaryOf, jaegerOf } from "./traces.mjs";

/** Trace ids with a meaning: `…50000` has 50,000 spans, `…200000` has 200,000. */
function traceFor(id) {
  const digits = id.replace(/^0+/, "");
  if (digits === "50000" || digits === "200000" || digits === "10000") {
    return makeTrace(7, Number(digits), id.padStart(32, "0"));
  }
  const index = LIST.findIndex((trace) => trace.traceId === id.padStart(32, "0"));
  return index < 0 ? null : LIST[index];
}

const LIST = Array.from({ length: 60 }, (_, seed) => makeTrace(seed + 1, 4 + ((seed * 37) % 90)));

function answer(url) {
  const path = url.pathname;
  if (url.searchParams.get("query.serviceName") === "empty") return [200, { summaries: [] }];
  if (path === "/api/services") {
    const names = new Set(LIST.flatMap((trace) => trace.services));
    return [200, { data: [...names].sort(), total: names.size, limit: 0, offset: 0, errors: null }];
  }
  if (path === "/api/operations") {
    const names = new Set(LIST.flatMap((trace) => trace.names));
    return [200, { data: [...names].map((name) => ({ name, spanKind: "server" })) }];
  }
  if (path === "/api/v3/trace-summaries") {
    if (url.searchParams.get("query.serviceName") === "broken") {
      return [400, { error: { httpCode: 400, message: "cannot search: a made-up fault" } }];
    }
    const depth = Number(url.searchParams.get("query.searchDepth"));
    return [200, { summaries: LIST.slice(0, depth).map(summaryOf) }];
  }
  const match = /^\/api\/(?:lymer\/v1\/)?traces\/([0-9a-f]+)(?:\/(columns|spans)(?:\/([0-9a-f]+))?)?$/.exec(path);
  const trace = match && traceFor(match[1]);
  if (!trace) return [404, { data: null, errors: [{ code: 404, msg: "trace not found" }] }];
  if (match[2] === "columns") return [200, columnsOf(trace)];
  return [200, { data: [jaegerOf(trace, match[3])], total: 0, limit: 0, offset: 0, errors: null }];
}

export function mockServer() {
  return {
    name: "lymer-mock",
    apply: "serve",
    configureServer(server) {
      if (process.env.LYMER_API) return;
      server.middlewares.use((request, response, next) => {
        if (!request.url.startsWith("/api/")) return next();
        const url = new URL(request.url, "http://localhost");
        const fresh = process.env.LYMER_MOCK_EMPTY === "1" && !url.pathname.includes("/traces/");
        const [status, body] = fresh ? [200, { data: [], summaries: [] }] : answer(url);
        response.statusCode = status;
        response.setHeader("Content-Type", "application/json");
        response.end(Buffer.isBuffer(body) ? body : JSON.stringify(body));
      });
    },
  };
}
