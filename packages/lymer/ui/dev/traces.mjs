/** Made-up traces for development and measurements: the same seed gives the same trace. */

const SERVICES = ["frontend", "checkout", "cart", "inventory", "payment", "shipping", "postgres-cart", "email", "ad-ranker", "kafka-orders"];
const OPERATIONS = ["GET /api/cart", "POST /api/checkout", "CartService/GetCart", "inventory.Reserve", "charge card", "SELECT orders", "SELECT products WHERE id = ANY($1)", "quote", "send confirmation", "rank", "orders publish", "HGETALL"];
const EPOCH_NS = BigInt(Date.now()) * 1_000_000n;

function random(seed) {
  let state = (seed * 2654435761) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4294967296;
  };
}

const hex = (value, digits) => Math.floor(value).toString(16).padStart(digits, "0");

export function makeTrace(seed, count, id) {
  const next = random(seed);
  const spans = [];
  const total = 20e6 + next() ** 4 * 3e9;
  for (let n = 0; n < count; n++) {
    const above = n === 0 ? -1 : Math.max(0, Math.floor(n - 1 - next() ** 2 * Math.min(n, 40)));
    const parent = n === 0 ? null : spans[above];
    const from = parent ? parent.start + parent.duration * next() * 0.5 : 0;
    const room = parent ? parent.start + parent.duration - from : total;
    const duration = n === 0 ? total : Math.max(800, room * (0.2 + next() * 0.78));
    const service = n === 0 ? 0 : next() < 0.4 ? parent.service : Math.floor(next() * SERVICES.length);
    spans.push({
      parent: n > 5 && next() < 0.002 ? -2 : above,
      start: from,
      duration,
      service,
      name: n === 0 ? seed % 2 : 2 + ((service + Math.floor(next() * 3)) % (OPERATIONS.length - 2)),
      kind: 1 + Math.floor(next() * 5),
      status: next() < 0.04 ? 2 : 0,
      events: next() < 0.2 ? 1 + Math.floor(next() * 3) : 0,
      links: next() < 0.02 ? 1 : 0,
    });
  }
  const order = spans.map((_, index) => index).sort((a, b) => spans[a].start - spans[b].start || a - b);
  const place = new Map(order.map((span, index) => [span, index]));
  return {
    traceId: id ?? hex(next() * 2 ** 48, 12).padStart(32, "5af3"),
    startNs: EPOCH_NS - BigInt(Math.floor(next() * 3.3e12)),
    services: SERVICES,
    names: OPERATIONS,
    spans: order.map((index) => ({
      ...spans[index],
      parent: spans[index].parent < 0 ? spans[index].parent : place.get(spans[index].parent),
    })),
  };
}

const spanIdOf = (index) => hex(0xa1b2 * 2 ** 32 + index * 7919 + 1, 16);

/** Return a trace in binary columns, as docs/trace-columns.md describes them; without self time the page works it out. */
export function columnsOf(trace) {
  const { spans } = trace;
  const column = (name) => spans.map((span) => Math.round(span[name]));
  const ids = spans.flatMap((_, index) => spanIdOf(index).match(/../g).map((pair) => Number.parseInt(pair, 16)));
  const warnings = spans.length > 3 ? [[2, "clock skew adjustment of 1.2ms was applied"]] : [];
  const columns = [
    ["spanId", Uint8Array.from(ids)],
    ["parent", Int32Array.from(spans, (span) => Math.max(-1, span.parent))],
    ["service", Int32Array.from(column("service"))],
    ["name", Int32Array.from(column("name"))],
    ["kind", Uint8Array.from(column("kind"))],
    ["status", Uint8Array.from(column("status"))],
    ["flags", Uint8Array.from(spans, (span) => (span.parent === -2 ? 2 : 0))],
    ["start", Float64Array.from(column("start"))],
    ["duration", Float64Array.from(column("duration"))],
    ["events", Uint32Array.from(column("events"))],
    ["links", Uint32Array.from(column("links"))],
    ["warnings", Buffer.from(JSON.stringify(warnings))],
  ];
  let offset = 0;
  const placed = columns.map(([name, { byteLength: bytes }]) => {
    const place = { name, offset, bytes };
    offset += Math.ceil(bytes / 8) * 8;
    return place;
  });
  const { traceId, services, names } = trace;
  let head = JSON.stringify({ traceId, startUnixNano: String(trace.startNs), spanCount: spans.length, services, names, columns: placed });
  head += " ".repeat((8 - ((Buffer.byteLength(head) + 12) % 8)) % 8);
  const headBytes = Buffer.byteLength(head);
  const all = Buffer.alloc(12 + headBytes + offset);
  all.write("LYTC");
  all.writeUInt32LE(1, 4);
  all.writeUInt32LE(headBytes, 8);
  all.write(head, 12);
  columns.forEach(([, array], at) => {
    Buffer.from(array.buffer, array.byteOffset, array.byteLength).copy(all, 12 + headBytes + placed[at].offset);
  });
  return all;
}

export function summaryOf(trace) {
  const services = new Map();
  let errors = 0;
  for (const span of trace.spans) {
    const entry = services.get(span.service) ?? { name: trace.services[span.service], spanCount: 0, errorSpanCount: 0 };
    entry.spanCount++;
    if (span.status === 2) entry.errorSpanCount++;
    if (span.status === 2) errors++;
    services.set(span.service, entry);
  }
  const end = Math.max(...trace.spans.map((span) => span.start + span.duration));
  const orphans = trace.spans.filter((span) => span.parent === -2).length;
  return {
    traceId: trace.traceId,
    rootServiceName: trace.services[trace.spans[0].service],
    rootOperationName: trace.names[trace.spans[0].name],
    minStartTimeUnixNano: String(trace.startNs),
    maxEndTimeUnixNano: String(trace.startNs + BigInt(Math.round(end))),
    spanCount: trace.spans.length,
    ...(errors ? { errorSpanCount: errors } : {}),
    ...(orphans ? { orphanSpanCount: orphans } : {}),
    services: [...services.values()],
  };
}

export function jaegerOf(trace, onlySpanId) {
  const startMicros = Number(trace.startNs / 1000n);
  const tag = (key, value, type = "string") => ({ key, type, value });
  const spans = [];
  trace.spans.forEach((span, index) => {
    if (onlySpanId && spanIdOf(index) !== onlySpanId) return;
    const start = startMicros + Math.floor(span.start / 1000);
    spans.push({
      traceID: trace.traceId,
      spanID: spanIdOf(index),
      operationName: trace.names[span.name],
      references: [
        ...(span.parent >= 0 ? [{ refType: "CHILD_OF", traceID: trace.traceId, spanID: spanIdOf(span.parent) }] : []),
        ...(span.links ? [{ refType: "FOLLOWS_FROM", traceID: "1f2e3d4c5b6a79881f2e3d4c5b6a7988", spanID: "00f067aa0ba902b7" }] : []),
      ],
      startTime: start,
      duration: Math.floor(span.duration / 1000),
      tags: [
        tag("http.request.method", "GET"),
        tag("http.response.status_code", span.status === 2 ? 503 : 200, "int64"),
        tag("url.full", `https://shop.example/api/cart?session=${index}&currency=EUR`),
        tag("db.query.text", "SELECT id, name, price_units FROM catalog.products WHERE id = ANY($1) ORDER BY name"),
        tag("app.payload", JSON.stringify({ user: index, items: [{ sku: "LYM-1", count: 2 }], express: true })),
        ...(span.status === 2 ? [tag("error", true, "bool")] : []),
        tag("span.kind", "server"),
      ],
      logs: Array.from({ length: span.events }, (_, n) => ({
        timestamp: start + Math.floor((span.duration / 1000) * (0.2 + n * 0.3)),
        fields: [tag("event", n ? "retry" : "exception"), tag("exception.message", "connection reset by peer")],
      })),
      processID: `p${span.service + 1}`,
      warnings: index === 2 ? ["clock skew adjustment of 1.2ms was applied"] : null,
    });
  });
  const processes = Object.fromEntries(
    trace.services.map((serviceName, index) => [
      `p${index + 1}`,
      { serviceName, tags: [tag("service.version", "2.3.1"), tag("host.name", `node-${index}`), tag("telemetry.sdk.language", "go")] },
    ]),
  );
  return { traceID: trace.traceId, spans, processes, warnings: null };
}
