// What the real remote samplers decide: jaeger-client's and OpenTelemetry's.
// Usage: node remote-sampler.mjs jaeger|opentelemetry SERVICE PORT
// For each line on stdin, a list of operations, it starts traces of each and prints which share of
// them is sampled, as one JSON object a line. Ends with stdin.
import { createInterface } from 'node:readline';
import { JaegerRemoteSampler } from '@opentelemetry/sampler-jaeger-remote';
import { AlwaysOffSampler, TracerProvider } from '@opentelemetry/sdk-trace';
import jaeger from 'jaeger-client';

const TRACES = 1000;
const POLL_MS = 50;
const [client, serviceName, port] = process.argv.slice(2);

function jaegerDecides() {
  const tracer = jaeger.initTracer(
    {
      serviceName,
      sampler: { type: 'remote', param: 0, host: '127.0.0.1', port: Number(port), refreshIntervalMs: POLL_MS },
      reporter: { agentHost: '127.0.0.1', agentPort: 9 },
    },
    { logger: { info() {}, error(text) { console.error(text); } } },
  );
  return (operation) => tracer.startSpan(operation).context().isSampled();
}

function openTelemetryDecides() {
  const sampler = new JaegerRemoteSampler({
    endpoint: `http://127.0.0.1:${port}`,
    serviceName,
    initialSampler: new AlwaysOffSampler(),
    poolingInterval: POLL_MS,
  });
  const tracer = new TracerProvider({ sampler }).getTracer('test');
  return (operation) => tracer.startSpan(operation, { root: true }).isRecording();
}

const isSampled = client === 'jaeger' ? jaegerDecides() : openTelemetryDecides();
for await (const line of createInterface({ input: process.stdin })) {
  const shares = {};
  for (const operation of JSON.parse(line)) {
    let sampled = 0;
    for (let index = 0; index < TRACES; index += 1) {
      if (isSampled(operation)) sampled += 1;
    }
    shares[operation] = sampled / TRACES;
  }
  console.log(JSON.stringify(shares));
}
process.exit(0);
