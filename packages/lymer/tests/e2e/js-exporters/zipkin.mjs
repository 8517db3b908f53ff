// One trace sent by the real zipkin package, as an application would.
// Usage: node zipkin.mjs v1|v2 URL
// Prints what was sent as one JSON object.
import zipkin from 'zipkin';
import transport from 'zipkin-transport-http';

const { Annotation, BatchRecorder, ExplicitContext, InetAddress, Tracer, jsonEncoder } = zipkin;
const [version, endpoint] = process.argv.slice(2);
let failure;
const logger = new transport.HttpLogger({
  endpoint,
  jsonEncoder: jsonEncoder[version === 'v1' ? 'JSON_V1' : 'JSON_V2'],
  httpInterval: 20,
});
logger.on('error', (error) => {
  failure ??= error;
});
const ctxImpl = new ExplicitContext();
const recorder = new BatchRecorder({ logger });
const tracer = new Tracer({ ctxImpl, recorder, localServiceName: `zipkin-js-${version}`, traceId128Bit: true });
const server = tracer.createRootId();
ctxImpl.scoped(() => {
  tracer.setId(server);
  tracer.recordServiceName(`zipkin-js-${version}`);
  tracer.recordRpc('get /cart');
  tracer.recordAnnotation(new Annotation.ServerRecv());
  tracer.recordAnnotation(
    new Annotation.LocalAddr({ host: new InetAddress('127.0.0.1'), port: 8080 }),
  );
  tracer.recordBinary('http.path', '/cart');
  tracer.recordBinary('서울', '부산');
  tracer.recordMessage('found');
});
const client = ctxImpl.scoped(() => {
  tracer.setId(server);
  return tracer.createChildId();
});
ctxImpl.scoped(() => {
  tracer.setId(client);
  tracer.recordServiceName(`zipkin-js-${version}`);
  tracer.recordRpc('select');
  tracer.recordAnnotation(new Annotation.ClientSend());
  tracer.recordAnnotation(
    new Annotation.ServerAddr({ serviceName: 'db', host: new InetAddress('127.0.0.9'), port: 5432 }),
  );
  tracer.recordBinary('error', 'refused');
  tracer.recordAnnotation(new Annotation.ClientRecv());
});
ctxImpl.scoped(() => {
  tracer.setId(server);
  tracer.recordAnnotation(new Annotation.ServerSend());
});
setTimeout(() => {
  if (failure) {
    console.error(failure);
    process.exit(1);
  }
  console.log(
    JSON.stringify({
      traceId: server.traceId,
      serverSpanId: server.spanId,
      clientSpanId: client.spanId,
    }),
  );
  process.exit(0);
}, 500);
