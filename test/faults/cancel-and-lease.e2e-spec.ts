import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { faultsInFull } from '#platform/config/test-environment.js';
import { JobQueue } from '#platform/queue/job-queue.js';
import { RUN_SESSION, type SessionView } from '#platform/sync/session.js';
import { type TestApi, startApi } from '#testing/app.js';
import { type TestDatabase, createTestDatabase } from '#testing/database.js';
import { eventually } from '#testing/eventually.js';
import { type ExpectedInvoices, differencesFrom, expectedOf } from '#testing/invoice-expectations.js';
import {
  faultsOfImport,
  faultsOfSessionStream,
  gapsInStreams,
  importsNotToldOnce,
  isOver,
  leftovers,
  outboxIsEmpty,
  stateOf,
} from '#testing/judges.js';
import type { ProductProcess } from '#testing/processes.js';
import { Product } from '#testing/product.js';
import { madeUpFile, startImport } from '#testing/retail.js';
import { say, seededRandom } from '#testing/seeded-random.js';

const full = faultsInFull();
const CANCELS = full ? 25 : 4;
const PAUSES = full ? 8 : 1;
const INVOICES = full ? 12_000 : 5000;
/** A page is written in well under a second; the machine may be busy. */
const WITHIN_A_PAGE_MS = 10_000;

const random = seededRandom('cancel-and-lease', import.meta.jest.getSeed());
let database: TestDatabase;
let product: Product;
/** In this process, for its queue. */
let inside: TestApi;

import.meta.jest.setTimeout(full ? 900_000 : 150_000);
beforeAll(async () => {
  database = await createTestDatabase();
  product = await Product.start({ apis: 1, workers: 2, databaseUrl: database.url });
  inside = await startApi({ database });
});
afterAll(async () => {
  await inside.close();
  await product.close();
  await database.drop();
});

interface Import {
  id: string;
  prefix: string;
  expected: ExpectedInvoices;
}

let files = 0;

async function begin(invoices = INVOICES): Promise<Import> {
  const prefix = `F${++files}-`;
  const csv = madeUpFile(random, { prefix, invoices, lines: invoices * 3 });
  const expected = await expectedOf(Readable.from([csv]));
  return { id: await startImport(await product.client(), csv), prefix, expected };
}

const count = (prefix: string) =>
  product.sql.number('select count(*) from sales.invoice where invoice_no like $1', [`${prefix}%`]);

async function reached(id: string, moment: number): Promise<boolean> {
  const row = await product.sql.row<{ progress: number | null; over: boolean }>(
    'select progress, finished_at is not null as over from platform.session where id = $1',
    [id],
  );
  return row.over || (row.progress ?? 0) >= moment;
}

/** Everything that a worker could touch of an import, as one text. */
async function everythingOf({ id, prefix }: Import): Promise<string> {
  const row = await product.sql.row<{ all: string }>(
    `select jsonb_build_object(
       'session', (select to_jsonb(s) from platform.session s where id = $1),
       'entities', (select jsonb_agg(e) from platform.session_entity e where session_id = $1),
       'events', (select count(*) from platform.event where stream = 'session-' || $1),
       'outcomes', (select count(*) from platform.session_outcome where session_id = $1),
       'staged', (select count(*) from sales.import_fragment where session_id = $1),
       'invoices', (select jsonb_agg(i order by id) from sales.invoice i where invoice_no like $2),
       'lines', (select count(*) from sales.invoice_item l join sales.invoice i on i.id = l.invoice_id
                 where invoice_no like $2))::text as all`,
    [id, `${prefix}%`],
  );
  return row.all;
}

describe('an import that is cancelled', () => {
  it('ends as cancelled within a page, with whole invoices only and nothing after', async () => {
    const ended: { one: Import; after: string }[] = [];
    for (let n = 0; n < CANCELS; n++) {
      const one = await begin();
      // Some at once, before a worker has it; the rest anywhere on the way.
      const moment = n % 4 === 0 ? 0 : random.next() * 0.9;
      await eventually('the moment comes', () => moment === 0 || reached(one.id, moment), { everyMs: 5 });
      const asked = Date.now();
      const answer = await (await product.client()).delete<SessionView>(`/api/sessions/${one.id}`);
      expect(answer.status).toBe(200);
      expect(['cancelling', 'cancelled', 'completed']).toContain(answer.body.state);
      await eventually('it ends', () => isOver(product.sql, one.id), { ms: WITHIN_A_PAGE_MS });
      const state = await stateOf(product.sql, one.id);
      say(
        `at ${Math.round(moment * 100)} %: ${state} after ${Date.now() - asked} ms, ${await count(one.prefix)} stored`,
      );
      // One that was quicker than we is done, not cancelled.
      expect(state).toBe(answer.body.state === 'completed' ? 'completed' : 'cancelled');
      await judgeCancelled(one, state);
      ended.push({ one, after: await everythingOf(one) });
    }
    expect(ended.length).toBe(CANCELS);
    for (const { one, after } of ended) expect(await everythingOf(one)).toBe(after);
  });

  it('ends although the worker that held it is dead', async () => {
    const one = await begin();
    await eventually('it is on its way', () => reached(one.id, 0.1), { everyMs: 5 });
    await Promise.all(product.workers.map((worker) => worker.kill()));
    await (await product.client()).delete(`/api/sessions/${one.id}`);
    expect(await stateOf(product.sql, one.id)).toBe('cancelling');
    await moveClock();
    await Promise.all(product.workers.map((worker) => worker.start()));
    await eventually('it ends', () => isOver(product.sql, one.id));
    expect(await stateOf(product.sql, one.id)).toBe('cancelled');
    await judgeCancelled(one, 'cancelled');
  });
});

describe('a worker that is frozen while it imports', () => {
  const pauses = Array.from({ length: PAUSES }, (_, n) => n + 1);

  it.each(pauses)('between two transactions loses its lease and changes nothing when it wakes (%i)', (n) =>
    freezeAndTakeOver(n, 'between'),
  );

  it.each(pauses)('inside a transaction does not hold up the one that takes over (%i)', (n) =>
    freezeAndTakeOver(n, 'inside'),
  );
});

describe('two workers that get the job of one session many times', () => {
  it('leave it to the one that holds the lease', async () => {
    const one = await begin();
    const queue = inside.app.get(JobQueue);
    await Promise.all(
      Array.from({ length: 20 }, () =>
        queue.add(RUN_SESSION, { sessionId: one.id, epoch: 0 }, { id: `${one.id}-again-${randomUUID()}` }),
      ),
    );
    const owners = new Set<string>();
    await eventually(
      'the import ends',
      async () => {
        const row = await product.sql.row<{ lease_owner: string | null }>(
          'select lease_owner from platform.session where id = $1',
          [one.id],
        );
        if (row.lease_owner) owners.add(row.lease_owner);
        return isOver(product.sql, one.id);
      },
      { everyMs: 5 },
    );
    expect(owners.size).toBe(1);
    expect(await faultsOfImport(product.sql, one.id, one.expected.invoices.size)).toEqual([]);
    expect(await differencesFrom(product.sql, one.expected, { pattern: `${one.prefix}%` })).toEqual([]);
  });

  it('leave every invoice told once', async () => {
    await eventually('all events are numbered', () => outboxIsEmpty(product.sql));
    expect(await gapsInStreams(product.sql)).toEqual([]);
    expect(await importsNotToldOnce(product.sql)).toEqual([]);
    expect(product.workers.map((worker) => worker.crashes)).toEqual([0, 0]);
  });
});

/** Leases of everybody run out. */
const moveClock = () => product.sql.rows(`update platform.clock set moved_by = moved_by + interval '1 hour'`);

async function judgeCancelled(one: Import, state: string): Promise<void> {
  const partial = state !== 'completed';
  expect(await differencesFrom(product.sql, one.expected, { pattern: `${one.prefix}%`, partial })).toEqual(
    [],
  );
  expect(await faultsOfSessionStream(product.sql, one.id)).toEqual([]);
  const last = await product.sql.row<{ state: string; created: number }>(
    `select body::jsonb ->> 'state' as state, (body::jsonb ->> 'created')::int as created from platform.event
     where stream = $1 and last`,
    [`session-${one.id}`],
  );
  expect(last).toEqual({ state, created: await count(one.prefix) });
  // One that never began is cleaned up by a job of its own.
  await eventually('nothing of it is left lying about', async () => {
    const left = await leftovers(product.sql, one.id);
    if (left.length > 0) throw new Error(left.join(', '));
    return true;
  });
}

/** Freezes the only worker, lets its lease run out, has another finish the import, and wakes the first. */
async function freezeAndTakeOver(n: number, where: 'between' | 'inside'): Promise<void> {
  const [frozen, other] =
    n % 2 ? [product.worker(0), product.worker(1)] : [product.worker(1), product.worker(0)];
  await other.kill();
  const one = await freezeDuringImport(frozen, where);
  try {
    await moveClock();
    await other.start();
    await eventually('the other finishes the import', () => isOver(product.sql, one.id), { ms: 45_000 });
    expect(await faultsOfImport(product.sql, one.id, one.expected.invoices.size)).toEqual([]);
    const before = await everythingOf(one);
    // Only the frozen one is left, and shows by another import that it is awake again.
    await other.kill();
    frozen.resume();
    const next = await begin(50);
    await eventually('the woken one works', () => isOver(product.sql, next.id));
    expect(await everythingOf(one)).toBe(before);
    expect(await differencesFrom(product.sql, one.expected, { pattern: `${one.prefix}%` })).toEqual([]);
  } finally {
    frozen.resume();
    if (!other.isRunning) await other.start();
  }
}

/** @returns the import that the worker had in hand; one that was over before is followed by another */
async function freezeDuringImport(worker: ProductProcess, where: 'between' | 'inside'): Promise<Import> {
  for (;;) {
    const one = await begin();
    const moment = random.next() * 0.6;
    await eventually('it is on its way', () => reached(one.id, moment), { everyMs: 2 });
    while (!(await isOver(product.sql, one.id))) {
      worker.pause();
      // What was on its way to the server is carried out first.
      await eventually('the server is done', async () => (await transactions('active')) === 0, {
        everyMs: 5,
      });
      const isThere =
        where === 'inside' ? await hasWritten() : (await transactions('idle in transaction')) === 0;
      if (isThere && !(await isOver(product.sql, one.id))) return one;
      worker.resume();
      await sleep(random.between(0, 8));
    }
  }
}

/** An open transaction has invoices in it, whose numbers the next worker must wait for. */
const hasWritten = async () =>
  (await product.sql.number(
    `select count(*) from pg_locks l join pg_stat_activity a using (pid)
     where l.relation = 'sales.invoice'::regclass and l.mode = 'RowExclusiveLock' and l.granted
     and a.state = 'idle in transaction' and a.application_name = 'instep'`,
  )) > 0;

const transactions = (state: string) =>
  product.sql.number(
    `select count(*) from pg_stat_activity where datname = current_database() and application_name = 'instep'
     and state = $1 and backend_xid is not null`,
    [state],
  );
