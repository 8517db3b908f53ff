// One trace sent by the real jaeger-client package, as an application would.
// Usage: node jaeger-client.mjs udp PORT | http URL
// Prints what was sent as one JSON object.
import jaeger from 'jaeger-client';

const [transport, target] = process.argv.slice(2);
const reporter =
  transport === 'udp'
    ? { agentHost: '127.0.0.1', agentPort: Number(target), flushIntervalMs: 50 }
    : { collectorEndpoint: target, flushIntervalMs: 50 };
let failure = '';
const logger = {
  info() {},
  error(text) {
    failure ||= text;
  },
};
const tracer = jaeger.initTracer(
  { serviceName: 'jaeger-client-node', sampler: { type: 'const', param: 1 }, reporter },
  { logger, tags: { 'deploy.env': 'test' } },
);
const parent = tracer.startSpan('parent', { startTime: 1_700_000_000_250 });
parent.setTag('span.kind', 'server').setTag('http.status_code', 503).setTag('error', true);
parent.setTag('float', 0.1).setTag('text', 'é 한국어');
parent.log({ event: 'error', message: 'boom' }, 1_700_000_000_500);
const child = tracer.startSpan('child', { childOf: parent, startTime: 1_700_000_000_375 });
child.setTag('span.kind', 'client').setTag('peer.service', 'db');
child.finish(1_700_000_000_500);
parent.finish(1_700_000_000_750);
tracer.close(() => {
  if (failure) {
    console.error(failure);
    process.exit(1);
  }
  const context = parent.context();
  console.log(
    JSON.stringify({
      traceId: context.traceIdStr.padStart(16, '0'),
      parentSpanId: context.spanIdStr.padStart(16, '0'),
      childSpanId: child.context().spanIdStr.padStart(16, '0'),
    }),
  );
  process.exit(0);
});
