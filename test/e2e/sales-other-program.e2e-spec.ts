import type pg from 'pg';
import { type TestApi, startApi } from '#testing/app.js';
import type { Client } from '#testing/http-client.js';
import { SseReader } from '#testing/sse-reader.js';
import { LIST, STREAM, imported, invoiceOf, otherProgram, pageOf } from './sales-http.js';

/** Rows written straight into the tables, by a program that knows nothing of Instep. */
let api: TestApi;
let operator: Client;
let other: pg.Client;
let stream: SseReader;
let customer: string;

beforeAll(async () => {
  api = await startApi({ worker: true });
  operator = await api.client('operator');
  other = await otherProgram(api);
  stream = await SseReader.open(api.url + STREAM, operator.headers);
  customer = (await one(`insert into sales.customer (code, name) values ('SQL', 'By SQL') returning id`)).id;
});
afterAll(async () => {
  await stream.cut();
  await other.end();
  await api.close();
});

const one = async (sql: string, params: unknown[] = []) =>
  (await other.query<{ id: string }>(sql, params)).rows[0] ?? { id: '' };
const ADD = `insert into sales.invoice (invoice_no, invoice_date, customer_id) values ($1, '2026-02-03', $2) returning id`;
const LINE = `insert into sales.invoice_item (invoice_id, name, quantity, mrp) values ($1, $2, $3, $4)`;
const add = async (number: string) => (await one(ADD, [number, customer])).id;
const line = (id: string, name: string, quantity: number, mrp: number) =>
  other.query(LINE, [id, name, quantity, mrp]);

const count = async () => (await pageOf(operator)).body.count;
const realCount = async () =>
  Number((await one('select count(*) as id from sales.invoice where deleted_at is null')).id);

/** The events that `work` causes, after everything before has been told. */
async function eventsOf(work: () => Promise<unknown>, expected: number): Promise<Record<string, unknown>[]> {
  const from = stream.events.length;
  await work();
  const marker = `MARK-${from}`;
  await imported(operator, { invoice_no: marker });
  await stream.until(() => stream.events.some(({ data }) => data.invoice_no === marker));
  const events = stream.events.slice(from).map(({ data }) => data);
  expect(events.map(({ invoice_no, type }) => [invoice_no, type])).toHaveLength(expected + 1);
  return events.slice(0, -1);
}

describe('an invoice of another program', () => {
  it('with its lines in one transaction is one event, whole, with its total', async () => {
    const events = await eventsOf(async () => {
      await other.query('begin');
      const id = await add('SQL-1');
      await line(id, 'a', 2, 1.005);
      await line(id, 'b', 1, -0.005);
      await other.query('commit');
    }, 1);
    expect(events[0]).toMatchObject({
      invoice_no: 'SQL-1',
      type: 'invoice_imported',
      total_amount: 2,
      customer: { code: 'SQL' },
    });
    expect((events[0]?.items as { name: string }[]).map((item) => item.name)).toEqual(['a', 'b']);
    const shown = (await pageOf(operator, '?invoice_no=SQL-1')).body.results[0];
    expect({ ...shown, type: 'invoice_imported' }).toEqual(events[0]);
  });

  it('whose lines come in later transactions is an update each', async () => {
    const events = await eventsOf(async () => {
      const id = await add('SQL-2');
      await line(id, 'a', 1, 10);
      await line(id, 'b', 2, 10);
    }, 3);
    const seen = events.map(({ type, total_amount, items }) => [
      type,
      total_amount,
      (items as unknown[]).length,
    ]);
    expect(seen.map(([type]) => type)).toEqual(['invoice_imported', 'invoice_updated', 'invoice_updated']);
    expect(seen.at(-1)).toEqual(['invoice_updated', 30, 2]);
  });

  it('is told when lines change or go, with the total kept', async () => {
    const { id } = await one(`select id from sales.invoice where invoice_no = 'SQL-2'`);
    const changed = await eventsOf(
      () => other.query(`update sales.invoice_item set quantity = 5 where invoice_id = $1`, [id]),
      1,
    );
    expect(changed[0]).toMatchObject({ type: 'invoice_updated', total_amount: 100 });
    const removed = await eventsOf(
      () => other.query(`delete from sales.invoice_item where invoice_id = $1 and name = 'b'`, [id]),
      1,
    );
    expect(removed[0]).toMatchObject({ type: 'invoice_updated', total_amount: 50 });
    expect((await invoiceOf(operator, Number(id))).body.total_amount).toBe(50);
  });

  it('a hundred in one statement are a hundred events, in order', async () => {
    const events = await eventsOf(
      () =>
        other.query(
          `insert into sales.invoice (invoice_no, invoice_date, customer_id)
           select 'BULK-' || n, '2026-02-03', $1 from generate_series(1, 100) n`,
          [customer],
        ),
      100,
    );
    const ids = events.map(({ id }) => Number(id));
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    expect(await count()).toBe(await realCount());
  });

  it('that did not change is no event', async () => {
    await eventsOf(
      () => other.query(`update sales.invoice set remarks = remarks where invoice_no = 'SQL-1'`),
      0,
    );
  });

  it('that is marked as deleted leaves list and count, and comes back', async () => {
    const mark = (value: string) =>
      other.query(`update sales.invoice set deleted_at = ${value} where invoice_no = 'SQL-1'`);
    const before = (await count()) ?? 0;
    const gone = await eventsOf(() => mark('now()'), 1);
    expect(gone[0]).toMatchObject({ invoice_no: 'SQL-1', type: 'invoice_deleted' });
    expect(await count()).toBe(before + 1 - 1);
    expect((await pageOf(operator, '?invoice_no=SQL-1')).body.count).toBe(0);
    const back = await eventsOf(() => mark('null'), 1);
    expect(back[0]).toMatchObject({ invoice_no: 'SQL-1', type: 'invoice_updated' });
    expect(await count()).toBe(before + 2);
  });

  it('that is removed for good is told with its number', async () => {
    const events = await eventsOf(
      () => other.query(`delete from sales.invoice where invoice_no = 'SQL-1'`),
      1,
    );
    expect(events[0]).toMatchObject({ invoice_no: 'SQL-1', type: 'invoice_deleted' });
    expect(await count()).toBe(await realCount());
  });

  it('that comes and goes before anybody was told still makes events with a type and a number', async () => {
    const events = await eventsOf(async () => {
      await other.query('begin');
      await other.query('lock table platform.stream_head in exclusive mode');
      const second = await otherProgram(api);
      await second.query(ADD, ['BRIEF-1', customer]);
      await second.query(`delete from sales.invoice where invoice_no = 'BRIEF-1'`);
      await second.end();
      await other.query('commit');
    }, 2);
    expect(events.map(({ invoice_no, type }) => [invoice_no, type])).toEqual([
      ['BRIEF-1', 'invoice_imported'],
      ['BRIEF-1', 'invoice_deleted'],
    ]);
  });

  it('of a transaction that is rolled back never happened', async () => {
    const before = (await count()) ?? 0;
    await eventsOf(async () => {
      await other.query('begin');
      const id = await add('ROLLED-1');
      await line(id, 'a', 1, 1);
      await other.query('delete from sales.invoice');
      await other.query('rollback');
    }, 0);
    expect(await count()).toBe(before + 1);
  });

  it('can be changed and deleted here like any other', async () => {
    const id = Number(await add('SQL-3'));
    const changed = await operator.patch(`${LIST}${id}`, { items: [{ name: 'x', quantity: 1, mrp: 4 }] });
    expect(changed).toMatchObject({ status: 200, body: { total_amount: 4 } });
    expect((await operator.delete(`${LIST}${id}`)).status).toBe(204);
  });
});

it('the count is exact whatever happened, before and after it is folded', async () => {
  const deltas = async () => Number((await one('select count(*) as id from sales.invoice_count')).id);
  await Promise.all(
    Array.from({ length: 12 }, async (_, i) => {
      const client = await otherProgram(api);
      await client.query(ADD, [`PAR-${i}`, customer]);
      if (i % 3 === 0)
        await client.query(`update sales.invoice set deleted_at = now() where invoice_no = $1`, [`PAR-${i}`]);
      if (i % 3 === 1) await client.query(`delete from sales.invoice where invoice_no = $1`, [`PAR-${i}`]);
      await client.end();
    }),
  );
  expect(await count()).toBe(await realCount());
  expect(await deltas()).toBeGreaterThan(1);
  await other.query('select sales.fold_invoice_count()');
  expect(await deltas()).toBe(1);
  expect(await count()).toBe(await realCount());
  await other.query(
    `insert into sales.invoice (invoice_no, invoice_date, customer_id) values ('PAR-0', '2026-02-03', $1)
    on conflict (invoice_no) do nothing`,
    [customer],
  );
  expect(await count()).toBe(await realCount());
  await other.query('truncate sales.invoice cascade');
  expect(await count()).toBe(0);
  await imported(operator);
  expect(await count()).toBe(1);
});
