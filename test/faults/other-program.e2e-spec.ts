import { setTimeout as sleep } from 'node:timers/promises';
import { type TestApi, startApi } from '#testing/app.js';
import { type TestDatabase, createTestDatabase } from '#testing/database.js';
import { OtherProgram } from '#testing/other-program.js';
import { Sql } from '#testing/product.js';
import { seededRandom } from '#testing/seeded-random.js';

const CLERKS = 20;

const random = seededRandom('other-program', import.meta.jest.getSeed());
let database: TestDatabase;
let api: TestApi;
let sql: Sql;

beforeAll(async () => {
  database = await createTestDatabase();
  sql = new Sql(database.url);
  api = await startApi({ database });
});
afterAll(async () => {
  await api.close();
  await sql.end();
  await database.drop();
});

/** Every clerk in a transaction of his own, at the same time. */
async function atOnce(work: (clerk: number, run: (text: string) => Promise<unknown>) => Promise<unknown>) {
  const outcomes = await Promise.allSettled(
    Array.from({ length: CLERKS }, (_, clerk) =>
      sql.tx(async (client) => {
        await work(clerk, (text) => client.query(text));
        await sleep(random.between(0, 15));
      }),
    ),
  );
  return outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [String(outcome.reason)] : []));
}

const stored = (no: string) =>
  sql.row(
    `select count(*)::int as lines, max(position) as last, min(i.total_amount)::text as total,
       sum(round(quantity * mrp, 2))::text as sum
     from sales.invoice i join sales.invoice_item l on l.invoice_id = i.id where invoice_no = $1`,
    [no],
  );

const lineOf = (no: string, position: string) =>
  `insert into sales.invoice_item (invoice_id, position, name, quantity, mrp)
   select id, ${position}, 'Another', 1, 0.105 from sales.invoice where invoice_no = '${no}'`;

// 1.26 and 2.51 are there; each new line is 0.105, which is 0.11.
const TOTAL = (3.77 + CLERKS * 0.11).toFixed(2);
const WHOLE = { lines: CLERKS + 2, last: CLERKS + 2, total: TOTAL, sum: TOTAL };

describe('clerks of another program, straight in the tables and all at once', () => {
  const program = () => new OtherProgram(sql, random, `C${random.between(1, 1e9)}-`);

  it('add lines with positions to one invoice: its total counts every line', async () => {
    const one = program();
    await one.writeInvoices(1);
    const [no = ''] = one.changes.keys();
    expect(await atOnce((clerk, run) => run(lineOf(no, String(clerk + 3))))).toEqual([]);
    expect(await stored(no)).toEqual(WHOLE);
  });

  it('add lines without positions: each gets the next one', async () => {
    const one = program();
    await one.writeInvoices(1);
    const [no = ''] = one.changes.keys();
    expect(await atOnce((_, run) => run(lineOf(no, 'null')))).toEqual([]);
    expect(await stored(no)).toEqual(WHOLE);
  });

  it('change, move and remove lines: the totals follow', async () => {
    const one = program();
    await one.writeInvoices(2);
    const [no = '', other = ''] = one.changes.keys();
    for (let n = 0; n < CLERKS; n++) await sql.rows(lineOf(no, String(n + 3)));
    const line = (clerk: number) =>
      `position = ${clerk + 3} and invoice_id = (select id from sales.invoice where invoice_no = '${no}')`;
    const failed = await atOnce((clerk, run) => {
      if (clerk % 3 === 0) return run(`update sales.invoice_item set mrp = 1.005 where ${line(clerk)}`);
      if (clerk % 3 === 1) return run(`delete from sales.invoice_item where ${line(clerk)}`);
      return run(
        `update sales.invoice_item set invoice_id = (select id from sales.invoice where invoice_no = '${other}')
         where ${line(clerk)}`,
      );
    });
    expect(failed).toEqual([]);
    for (const row of [await stored(no), await stored(other)]) expect(row.total).toBe(row.sum);
  });

  it('add lines beside the API', async () => {
    const one = program();
    await one.writeInvoices(1);
    const [no = ''] = one.changes.keys();
    const { id } = await sql.row<{ id: string }>('select id from sales.invoice where invoice_no = $1', [no]);
    const operator = await api.client('operator');
    const body = { items: [{ name: 'Another', quantity: 1, mrp: 0.105 }] };
    const failed = await atOnce(async (clerk, run) => {
      if (clerk % 2) return run(lineOf(no, 'null'));
      const answer = await operator.post(`/api/sales/invoices/${id}/items/`, body);
      if (answer.status >= 300) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
    });
    expect(failed).toEqual([]);
    expect(await stored(no)).toEqual(WHOLE);
  });

  it('write and delete invoices: the count stays exact', async () => {
    const one = program();
    await one.writeInvoices(CLERKS);
    const numbers = [...one.changes.keys()];
    const fold = () => sql.rows('select sales.fold_invoice_count()');
    const [failed] = await Promise.all([
      atOnce(async (clerk, run) => {
        if (clerk % 2) await run(`delete from sales.invoice where invoice_no = '${numbers[clerk]}'`);
        else await run(`update sales.invoice set deleted_at = now() where invoice_no = '${numbers[clerk]}'`);
      }),
      ...Array.from({ length: CLERKS }, () => one.writeInvoices(2)),
      ...Array.from({ length: 5 }, () => sleep(random.between(0, 20)).then(fold)),
    ]);
    expect(failed).toEqual([]);
    const row = await sql.row(
      `select (select sum(n) from sales.invoice_count)::int as counted,
         (select count(*) from sales.invoice where deleted_at is null)::int as there`,
    );
    expect(row.counted).toBe(row.there);
  });
});
