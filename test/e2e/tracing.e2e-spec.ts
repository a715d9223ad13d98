import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startApi } from '#testing/app.js';

interface Span {
  name: string;
  traceId: string;
}

/** A collector that keeps the spans it is sent. */
async function collector(): Promise<{ url: string; spans: Span[]; server: Server }> {
  const spans: Span[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(parts).toString()) as {
        resourceSpans: { scopeSpans: { spans: Span[] }[] }[];
      };
      spans.push(...body.resourceSpans.flatMap((r) => r.scopeSpans.flatMap((s) => s.spans)));
      response.setHeader('content-type', 'application/json').end('{}');
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans, server };
}

it('sends the trace of a request, and of the job it causes, to the collector', async () => {
  const { url, spans, server } = await collector();
  const api = await startApi({ worker: true, env: { OTEL_EXPORTER_OTLP_ENDPOINT: url } });
  const operator = await api.client('operator');
  const started = await operator.post<{ session_id: string }>(
    '/api/sales/import/invoices',
    `${JSON.stringify({
      invoice_no: 'T-1',
      invoice_date: '2026-01-02',
      customer: { code: 'C-1' },
      items: [{ name: 'Tea', quantity: 1, mrp: 2 }],
    })}\n`,
    { 'content-type': 'application/x-ndjson' },
  );
  for (let state = ''; state !== 'completed';) {
    const session = await operator.get<{ state: string }>(`/api/sessions/${started.body.session_id}`);
    ({ state } = session.body);
  }
  await api.close();
  server.close();
  const request = spans.find((span) => span.name === 'POST /api/sales/import/invoices');
  expect(request).toBeDefined();
  expect(spans.find((span) => span.name === 'job start-session')?.traceId).toBe(request?.traceId);
  expect(spans.find((span) => span.name === 'job run-session')?.traceId).toBe(request?.traceId);
});
