import { startApi, startWorker } from '#testing/app.js';
import { SseReader } from '#testing/sse-reader.js';
import { type Backend, describeQueue } from './platform-queue-stories.js';
import {
  NDJSON,
  STREAM,
  anInvoice,
  imported,
  importFile,
  ndjson,
  otherProgram,
  pageOf,
} from './sales-http.js';

const onPostgres = async (): Promise<Backend> => ({
  env: {},
  forget: async ({ url }) => {
    const client = await otherProgram({ database: { url } });
    const { rows } = await client.query<{ name: string }>(
      `select tablename as name from pg_tables where schemaname = 'bullmq' and tablename not like '%migration%'`,
    );
    await client.query(`truncate ${rows.map((row) => `bullmq."${row.name}"`).join(', ')} cascade`);
    await client.end();
  },
  stop: () => Promise.resolve(),
});

describeQueue('PostgreSQL', onPostgres);

it('two workers on one queue share the work and do nothing twice', async () => {
  const api = await startApi({ worker: true });
  const second = await startWorker(api.database);
  const operator = await api.client('operator');
  const stream = await SseReader.open(api.url + STREAM, operator.headers);
  const files = Array.from({ length: 6 }, () => Array.from({ length: 40 }, () => anInvoice()));
  const sessions = await Promise.all(
    files.map((file) => importFile(operator, ndjson(...file), { type: NDJSON })),
  );
  expect(sessions.every((session) => session.state === 'completed' && session.created === 40)).toBe(true);
  await second.close();
  await imported(operator, { invoice_no: 'LAST' });
  await stream.until(() => stream.events.some(({ data }) => data.invoice_no === 'LAST'));
  expect(stream.events).toHaveLength(241);
  expect(new Set(stream.events.map(({ data }) => data.invoice_no)).size).toBe(241);
  expect((await pageOf(operator)).body.count).toBe(241);
  await stream.cut();
  await api.close();
});
