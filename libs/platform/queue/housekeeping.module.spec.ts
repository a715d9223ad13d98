import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { WorkerModule } from '../../../apps/worker/worker.module.js';
import { createLogger } from '#platform/observability/logger.js';
import { Database } from '#platform/persistence/database.js';
import { testConfig } from '#testing/config.js';
import { type TestDatabase, createTestDatabase } from '#testing/database.js';
import { Prune } from './housekeeping.module.js';
import { JobQueue } from './job-queue.js';
import { Schedules } from './schedules.js';

/** A worker that takes no jobs: what it would do by itself is called here. */
let database: TestDatabase;
let worker: INestApplicationContext;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  const module = WorkerModule.with(testConfig(database.url), createLogger('test', 'error'));
  worker = await NestFactory.createApplicationContext(module, { abortOnError: false, logger: ['error'] });
  db = worker.get(Database);
});
afterAll(async () => {
  await worker.close();
  await database.drop();
});

const DAY = '1 day';
/** Ages of what is left in a table, in whole days, youngest first. */
async function ages(table: string, where = 'true'): Promise<number[]> {
  const rows = await db.query<{ days: number }>(
    `select (extract(epoch from platform.now() - created_at) / 86400)::int as days from ${table} where ${where} order by 1`,
  );
  return rows.map((row) => row.days);
}

describe('what is kept', () => {
  beforeAll(async () => {
    const aged = (days: string) => `platform.now() - interval '${DAY}' * ${days}`;
    await db.execute(`insert into platform.session (id, kind, trigger, requested_by, context)
      values ('00000000-0000-4000-8000-000000000001', 'import', 'api', 'test', '{}')`);
    await db.execute(`insert into platform.event (stream, seq, body, created_at)
      select stream, days, '{}', ${aged('days')} from (values (1), (6), (8), (29), (31)) d (days), (values ('sales-invoices'), ('session-x')) s (stream)`);
    await db.execute(`insert into platform.session_outcome (session_id, entity, outcome, created_at)
      select '00000000-0000-4000-8000-000000000001', 'invoices', 'failed', ${aged('days')} from (values (1), (29), (31)) d (days)`);
    await db.execute(`insert into platform.idempotency_answer (identity, key, operation, body_hash, status, body, created_at)
      select 'x', days::text, 'POST /', '', 201, '', ${aged('days')} from (values (0.1), (0.9), (1.1)) d (days)`);
    await db.execute(`insert into platform.audit_log (actor_kind, actor_label, action, correlation_id, at)
      select 'system', 'system', 'test', 'test', ${aged('days')} from (values (1), (4000)) d (days)`);
    await db.execute(`insert into sales.import_file (format, created_at, session_id) values
      ('csv', ${aged('0.5')}, null), ('csv', ${aged('1.5')}, null), ('csv', ${aged('1.5')}, gen_random_uuid())`);
    await worker.get(Prune).handle();
  });

  it('events of invoices for 7 days, of sessions for 30', async () => {
    expect(await ages('platform.event', `stream = 'sales-invoices'`)).toEqual([1, 6]);
    expect(await ages('platform.event', `stream = 'session-x'`)).toEqual([1, 6, 8, 29]);
  });
  it('outcomes for 30 days', async () => expect(await ages('platform.session_outcome')).toEqual([1, 29]));
  it('answers to idempotency keys for 24 hours', async () => {
    expect(await db.query('select key from platform.idempotency_answer order by key')).toEqual([
      { key: '0.1' },
      { key: '0.9' },
    ]);
  });
  it('the audit log for ever', async () => {
    expect(await db.query(`select 1 from platform.audit_log where action = 'test'`)).toHaveLength(2);
  });
  it('uploads that broke off for a day, those of a session until it ends', async () => {
    expect(await db.query('select session_id is null as broken from sales.import_file order by 1')).toEqual([
      { broken: false },
      { broken: true },
    ]);
  });
});

it('removes more than one batch', async () => {
  await db.execute(`insert into platform.event (stream, seq, body, created_at)
    select 'many', n, '{}', platform.now() - interval '60 days' from generate_series(1, 12000) n`);
  await worker.get(Prune).handle();
  expect(await ages('platform.event', `stream = 'many'`)).toEqual([]);
});

describe('schedules', () => {
  const names = async () =>
    (await worker.get(Schedules).list()).map(({ name, paused, next_run }) => [
      name,
      paused,
      next_run !== null,
    ]);

  it('are declared by their modules and run by themselves', async () => {
    expect(await names()).toEqual(
      expect.arrayContaining([
        ['prune', false, true],
        ['sales.fold-count', false, true],
      ]),
    );
  });

  it('that were paused stay so when a worker starts', async () => {
    const schedules = worker.get(Schedules);
    await schedules.keep('prune', true);
    await schedules.start();
    expect(await names()).toContainEqual(['prune', true, false]);
    await schedules.keep('prune', false);
    await schedules.start();
    expect(await names()).toContainEqual(['prune', false, true]);
  });

  it('can be run now, paused or not', async () => {
    const schedules = worker.get(Schedules);
    const before = await worker.get(JobQueue).waiting();
    await schedules.trigger('prune');
    expect(await worker.get(JobQueue).waiting()).toBe(before + 1);
    expect([schedules.has('prune'), schedules.has('nothing')]).toEqual([true, false]);
  });

  it('that a queue lost are put back', async () => {
    const schedules = worker.get(Schedules);
    await worker.get(JobQueue).queue('maintenance').removeJobScheduler('prune');
    expect(await names()).toContainEqual(['prune', false, false]);
    await worker.get(Prune).restoreSchedules();
    expect(await schedules.list()).toContainEqual(
      expect.objectContaining({ name: 'prune', next_run: expect.any(String) }),
    );
  });
});
