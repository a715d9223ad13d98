import { setTimeout as sleep } from 'node:timers/promises';
import type { SessionBody } from '#modules/operations/list-sessions/list-sessions.query.js';
import { StartSession } from '#platform/sync/session-recovery.js';
import { type TestApi, startApi, startWorker } from '#testing/app.js';
import type { Client } from '#testing/http-client.js';
import { NDJSON, anInvoice, ended, ndjson, pageOf, upload } from './sales-http.js';

/** How a worker leaves while it works. */
let api: TestApi;
let operator: Client;

beforeAll(async () => {
  api = await startApi();
  operator = await api.client('operator');
});
afterAll(() => api.close());

const within = <T>(ms: number, work: Promise<T>): Promise<T> =>
  Promise.race([
    work,
    new Promise<never>((_, reject) =>
      setTimeout(() => reject(new Error(`not done after ${ms} ms`)), ms).unref(),
    ),
  ]);
const session = async (id: string) => (await operator.get<SessionBody>(`/api/sessions/${id}`)).body;

it('in the middle of a long session: it stops at a page, and another worker goes on from there at once', async () => {
  const worker = await startWorker(api.database);
  const invoices = Array.from({ length: 15_000 }, () => anInvoice());
  const { body } = await upload(operator, ndjson(...invoices), { type: NDJSON });
  while ((await session(body.session_id)).created === 0);
  await within(5000, worker.close());
  const left = await session(body.session_id);
  expect(left).toMatchObject({ state: 'in_progress', finished_at: null });
  expect(left.created).toBeLessThan(15_000);
  const next = await startWorker(api.database);
  const began = Date.now();
  while ((await session(body.session_id)).created === left.created);
  expect(Date.now() - began).toBeLessThan(10_000);
  expect(await ended(operator, body.session_id, 60_000)).toMatchObject({
    state: 'completed',
    created: 15_000,
    processed: 15_000,
  });
  expect((await pageOf(operator)).body.count).toBe(15_000);
  await next.close();
});

it('while a handler is about to hand a job to another queue: it waits for that, not for ever', async () => {
  const worker = await startWorker(api.database);
  const handler = worker.get(StartSession);
  const handle = handler.handle.bind(handler);
  const taken = new Promise<void>((resolve) => {
    handler.handle = async (event) => {
      resolve();
      await sleep(2000);
      await handle(event);
    };
  });
  const { body } = await upload(operator, ndjson(anInvoice()), { type: NDJSON });
  await taken;
  await within(8000, worker.close());
  const next = await startWorker(api.database);
  expect(await ended(operator, body.session_id)).toMatchObject({ state: 'completed', created: 1 });
  await next.close();
});
