import { NestFactory } from '@nestjs/core';
import { WorkerModule } from '../../apps/worker/worker.module.js';
import { createLogger } from '#platform/observability/logger.js';
import { JobQueue } from '#platform/queue/job-queue.js';
import { type TestApi, startApi, startWorker } from '#testing/app.js';
import { type TestDatabase, createTestDatabase } from '#testing/database.js';
import type { Client } from '#testing/http-client.js';
import { SseReader } from '#testing/sse-reader.js';
import { NDJSON, STREAM, anInvoice, ended, importFile, ndjson, otherProgram, upload } from './sales-http.js';

/** What BullMQ stands on. */
export interface Backend {
  env: Record<string, string>;
  /** Loses everything that waits in it. */
  forget(database: TestDatabase): Promise<void>;
  stop(): Promise<void>;
}

/** The same stories whatever is behind the queue. One backend a process: BullMQ's default is global. */
export function describeQueue(name: string, start: () => Promise<Backend>): void {
  describe(`the queue on ${name}`, () => {
    let backend: Backend;
    let database: TestDatabase;
    let api: TestApi;
    let operator: Client;

    beforeAll(async () => {
      [backend, database] = await Promise.all([start(), createTestDatabase()]);
      api = await startApi({ database, worker: true, env: backend.env });
      operator = await api.client('operator');
    });
    afterAll(async () => {
      await api.close();
      await Promise.all([database.drop(), backend.stop()]);
    });

    it('is what the health check asks', async () => {
      const { status, body } = await operator.get('/health/ready');
      expect({ status, body }).toMatchObject({
        status: 200,
        body: { checks: { queue: 'ok' }, lag: { jobs_waiting: expect.any(Number) } },
      });
    });

    it('imports a file end to end, with progress and events', async () => {
      const stream = await SseReader.open(api.url + STREAM, operator.headers);
      const invoices = Array.from({ length: 700 }, () => anInvoice());
      const session = await importFile(operator, ndjson(...invoices), { type: NDJSON });
      expect(session).toMatchObject({ state: 'completed', created: 700, processed: 700, progress: 1 });
      await stream.until(() => stream.events.length >= 700);
      expect(stream.events.map(({ data }) => data.invoice_no)).toEqual(
        invoices.map((invoice) => invoice.invoice_no),
      );
      await stream.cut();
    });

    it('runs several files at once', async () => {
      const files = Array.from({ length: 4 }, () => ndjson(...Array.from({ length: 30 }, () => anInvoice())));
      const sessions = await Promise.all(files.map((file) => importFile(operator, file, { type: NDJSON })));
      expect(sessions.map(({ state, created }) => [state, created])).toEqual(
        Array(4).fill(['completed', 30]),
      );
    });

    it('knows what runs by itself, and when next', async () => {
      const { body } = await operator.get<{ data: { name: string; next_run: string }[] }>(
        '/api/operations/schedules',
      );
      expect(body.data.map((schedule) => schedule.name).sort()).toEqual(['prune', 'sales.fold-count']);
      for (const { next_run } of body.data) expect(Date.parse(next_run)).toBeGreaterThan(Date.now() - 5000);
    });

    it('that forgets a job in the middle of its work does not stop the work', async () => {
      const other = await otherProgram(api);
      await other.query('begin');
      await other.query('lock table sales.invoice in exclusive mode');
      const invoices = Array.from({ length: 5 }, () => anInvoice());
      const { body } = await upload(operator, ndjson(...invoices), { type: NDJSON });
      const reader = await SseReader.open(api.url + body.stream_url, operator.headers);
      await reader.until(() => reader.events.some(({ data }) => data.state === 'in_progress'));
      await backend.forget(database);
      await other.query('commit');
      await other.end();
      expect(await ended(operator, body.session_id)).toMatchObject({ state: 'completed', created: 5 });
      await reader.ended();
    });

    it('goes on taking work after it forgot everything', async () => {
      await backend.forget(database);
      const session = await importFile(operator, ndjson(anInvoice()), { type: NDJSON });
      expect(session).toMatchObject({ state: 'completed', created: 1 });
    });
  });

  describe(`jobs that ${name} lost`, () => {
    let backend: Backend;
    let api: TestApi;
    let operator: Client;

    beforeAll(async () => {
      backend = await start();
      api = await startApi({ env: backend.env });
      operator = await api.client('operator');
    });
    afterAll(async () => {
      await api.close();
      await backend.stop();
    });

    it('are made again out of the tables, and schedules with them', async () => {
      const { body } = await upload(operator, ndjson(anInvoice()), { type: NDJSON });
      // A worker that hands events to the queue but takes no jobs, and then is gone.
      const logger = createLogger('idle', 'error');
      const idle = await NestFactory.createApplicationContext(WorkerModule.with(api.config, logger), {
        abortOnError: false,
        logger: ['error'],
      });
      const left = async () =>
        Number((await api.db.first<{ n: string }>('select count(*) as n from platform.outbox'))?.n);
      while ((await left()) > 0);
      expect(await idle.get(JobQueue).waiting()).toBeGreaterThan(0);
      await idle.close();
      await backend.forget(api.database);
      const worker = await startWorker(api.database, backend.env);
      await api.db.execute(`update platform.clock set moved_by = '1 minute'`);
      expect(await ended(operator, body.session_id)).toMatchObject({ state: 'completed', created: 1 });
      const schedules = await operator.get<{ data: { next_run: string | null }[] }>(
        '/api/operations/schedules',
      );
      expect(schedules.body.data.length).toBeGreaterThan(0);
      for (const { next_run } of schedules.body.data) expect(next_run).not.toBeNull();
      await worker.close();
    });
  });
}
