// One trace sent by an OpenTelemetry exporter for Jaeger or Zipkin, as an application would.
// Usage: node exporter.mjs jaeger-udp PORT | jaeger-http URL | zipkin URL
// Prints what was sent as one JSON object.
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { JaegerExporter } from '@opentelemetry/exporter-jaeger';
import { ZipkinExporter } from '@opentelemetry/exporter-zipkin';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';

const [kind, target] = process.argv.slice(2);
const exporter = {
  'jaeger-udp': () => new JaegerExporter({ host: '127.0.0.1', port: Number(target) }),
  'jaeger-http': () => new JaegerExporter({ endpoint: target }),
  zipkin: () => new ZipkinExporter({ url: target }),
}[kind]();
const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ 'service.name': `js-${kind}`, 'host.name': 'host-1' }),
  spanProcessors: [new SimpleSpanProcessor(exporter)],
});
const tracer = provider.getTracer('shop.frontend', '4.5.6');
const parent = tracer.startSpan('parent', {
  kind: SpanKind.SERVER,
  startTime: [1_700_000_000, 250_000_000],
  attributes: { text: '한국어', flag: true, int: -7, float: 0.1 },
});
parent.addEvent('retry', { attempt: 2 }, [1_700_000_000, 500_000_000]);
parent.setStatus({ code: SpanStatusCode.ERROR, message: 'upstream said no' });
const child = tracer.startSpan(
  'child',
  { kind: SpanKind.CLIENT, startTime: [1_700_000_000, 375_000_000] },
  trace.setSpan(context.active(), parent),
);
child.setAttribute('peer.service', 'db');
child.end([1_700_000_000, 500_000_000]);
parent.end([1_700_000_000, 750_000_000]);
await provider.forceFlush();
await provider.shutdown();
console.log(
  JSON.stringify({
    traceId: parent.spanContext().traceId,
    parentSpanId: parent.spanContext().spanId,
    childSpanId: child.spanContext().spanId,
  }),
);
