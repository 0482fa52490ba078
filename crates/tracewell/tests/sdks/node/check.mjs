// The OpenTelemetry SDK for Node, unmodified: OTLP over HTTP (JSON and protobuf), over gRPC, and Zipkin.
// Starts the binary named by TRACEWELL_BIN on free ports.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { SpanKind, SpanStatusCode, context, trace } from '@opentelemetry/api';
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtoExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { ZipkinExporter } from '@opentelemetry/exporter-zipkin';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';

let server, directory, addresses;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tracewell-sdk-'));
  const any = '127.0.0.1:0';
  server = spawn(process.env.TRACEWELL_BIN, [
    'start', '--data', directory, '--listen-ingest', any, '--listen-otlp-grpc', any,
    '--listen-query', any, '--listen-admin', any, '--log-level', 'warn',
  ], { stdio: ['ignore', 'inherit', 'inherit'] });
  const path = join(directory, 'addresses.json');
  for (let i = 0; i < 600 && !existsSync(path); i++) await wait(100);
  addresses = JSON.parse(readFileSync(path, 'utf8'));
});

after(async () => {
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  assert.equal(await ended, 0, 'the server stops cleanly');
  rmSync(directory, { recursive: true });
});

/** The answer once it is there: an acknowledged span is found within a second. */
async function eventually(path) {
  for (let i = 0; i < 100; i++) {
    const answer = await fetch(`http://${addresses.query}${path}`);
    if (answer.status === 200) return answer.json();
    assert.equal(answer.status, 404, await answer.text());
    await wait(100);
  }
  throw new Error(`${path} was not found`);
}

/** One trace of two spans through the whole SDK; answers its id. */
async function send(exporter, service) {
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': service, 'host.id': 7 }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  const tracer = provider.getTracer('check', '1.0');
  const root = tracer.startSpan('GET /cart', { kind: SpanKind.SERVER, attributes: { user_id: 'u-17', n: 3 } });
  const child = tracer.startSpan('query', { kind: SpanKind.CLIENT }, trace.setSpan(context.active(), root));
  child.recordException(new TypeError('no such table: <b>carts</b>'));
  child.setStatus({ code: SpanStatusCode.ERROR, message: 'failed' });
  child.end();
  root.end();
  await provider.forceFlush();
  await provider.shutdown();
  return root.spanContext().traceId;
}

const exporters = {
  'node-http-json': () => new JsonExporter({ url: `http://${addresses.ingest}/v1/traces` }),
  'node-http-json-gzip': () => new JsonExporter({ url: `http://${addresses.ingest}/v1/traces`, compression: 'gzip' }),
  'node-http-proto': () => new ProtoExporter({ url: `http://${addresses.ingest}/v1/traces` }),
  'node-grpc': () => new GrpcExporter({ url: `http://${addresses.otlp_grpc}` }),
};

for (const [service, exporter] of Object.entries(exporters)) {
  test(`${service}: what the SDK sends is found`, async () => {
    const id = await send(exporter(), service);
    const found = await eventually(`/api/traces/${id}`);
    assert.equal(found.status, 'error');
    assert.equal(found.span_count, 2);
    const [root, child] = found.spans;
    assert.equal(root.service_name, service);
    assert.deepEqual(root.tags, { user_id: 'u-17', n: 3 });
    assert.equal(child.parent_span_id, root.span_id);
    assert.equal(child.events[0].attributes['exception.message'], 'no such table: <b>carts</b>');
    assert.equal(child.status_message, 'failed');
  });
}

test('zipkin: what the exporter sends is found', async () => {
  const id = await send(new ZipkinExporter({ url: `http://${addresses.ingest}/api/v2/spans` }), 'node-zipkin');
  const found = await eventually(`/api/traces/${id}`);
  assert.equal(found.status, 'error');
  assert.equal(found.span_count, 2);
  assert.equal(found.root_span.service_name, 'node-zipkin');
  assert.equal(found.root_span.tags.user_id, 'u-17');
});
