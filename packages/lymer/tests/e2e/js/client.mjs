// One trace sent by the OpenTelemetry JavaScript SDK, as an application would.
// Usage: node client.mjs grpc|http/protobuf|http/json ENDPOINT
// Prints what was sent as one JSON object; a failed export is an exit code.
import { context, createTraceState, SpanKind, SpanStatusCode, trace, TraceFlags } from '@opentelemetry/api';
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

const [protocol, endpoint, compression = 'none'] = process.argv.slice(2);
const Exporter = { grpc: GrpcExporter, 'http/protobuf': ProtobufExporter, 'http/json': JsonExporter }[protocol];

const resource = resourceFromAttributes({ 'service.name': 'frontend', 'host.cores': 4, 'host.spot': false });
const provider = new TracerProvider({
  resource,
  spanProcessors: [new BatchSpanProcessor({ exporter: new Exporter({ url: endpoint, compression }) })],
});
const tracer = provider.getTracer('shop.frontend', '4.5.6');

const remote = {
  traceId: '5b8efff798038103d269b633813fc60c',
  spanId: 'eee19b7ec3c1b174',
  traceFlags: TraceFlags.SAMPLED,
  isRemote: true,
  traceState: createTraceState('vendor=js'),
};
remote.traceId = [...crypto.getRandomValues(new Uint8Array(16))]
  .map((byte) => (byte | 0x10).toString(16))
  .join('');

const parent = tracer.startSpan(
  'GET /',
  {
    kind: SpanKind.CLIENT,
    attributes: {
      text: '한국어 "quoted"',
      flag: true,
      int: -7,
      safe: Number.MAX_SAFE_INTEGER,
      float: 0.1,
      'list.text': ['a', 'b'],
      'list.int': [1, 2],
    },
    links: [{ context: { traceId: remote.traceId, spanId: '00f067aa0ba902b7', traceFlags: 1 }, attributes: { why: 'fan-in' } }],
    startTime: [1_700_000_000, 123_456_789],
  },
  trace.setSpanContext(context.active(), remote),
);
parent.addEvent('retry', { attempt: 2, fatal: false }, [1_700_000_000, 200_000_000]);
parent.setStatus({ code: SpanStatusCode.ERROR, message: 'upstream said no' });
const child = tracer.startSpan(
  'render',
  { startTime: [1_700_000_000, 150_000_000] },
  trace.setSpan(context.active(), parent),
);
child.setStatus({ code: SpanStatusCode.OK });
child.end([1_700_000_000, 160_000_000]);
parent.end([1_700_000_001, 123_456_999]);

await provider.forceFlush();
await provider.shutdown();
console.log(JSON.stringify({
  traceId: remote.traceId,
  remoteSpanId: remote.spanId,
  parentSpanId: parent.spanContext().spanId,
  childSpanId: child.spanContext().spanId,
}));
