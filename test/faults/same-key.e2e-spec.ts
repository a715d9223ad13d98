import { Readable } from 'node:stream';
import type { ImportAnswer } from '#modules/sales/import-invoice/import-invoice.command.js';
import { faultsInFull } from '#platform/config/test-environment.js';
import { eventually } from '#testing/eventually.js';
import { type Answer, type Client } from '#testing/http-client.js';
import { type SingleInvoice, asRows, singleInvoice, totalOf } from '#testing/invoice-bodies.js';
import { differencesFrom, expectedOf } from '#testing/invoice-expectations.js';
import { gapsInStreams, importsNotToldOnce, isOver, outboxIsEmpty } from '#testing/judges.js';
import { Product } from '#testing/product.js';
import { CSV_HEADER, IMPORT_PATH, madeUpFile, startImport } from '#testing/retail.js';
import { seededRandom } from '#testing/seeded-random.js';

const CLIENTS = 20;
const ROUNDS = faultsInFull() ? 40 : 5;
const PATH = '/api/sales/import/invoice/';

interface Problem {
  code: string;
}

const random = seededRandom('same-key', import.meta.jest.getSeed());
let product: Product;
let clients: Client[];

import.meta.jest.setTimeout(faultsInFull() ? 600_000 : 120_000);
beforeAll(async () => {
  product = await Product.start({ apis: 2, workers: 1 });
  // Half of them at each process: what they share is only the database.
  clients = await Promise.all(Array.from({ length: CLIENTS }, (_, n) => product.client(n % 2)));
});
afterAll(() => product.close());

/** One request from every client at the same time. */
function atOnce<B>(send: (client: Client, n: number) => Promise<Answer<B>>): Promise<Answer<B>[]> {
  return Promise.all(clients.map(send));
}

const withStatus = <B>(answers: readonly Answer<B>[], status: number) =>
  answers.filter((answer) => answer.status === status);

async function stored(invoiceNo: string): Promise<{ id: string; total: string; lines: number }[]> {
  return product.sql.rows(
    `select i.id, i.total_amount::text as total,
       (select count(*)::int from sales.invoice_item l where l.invoice_id = i.id) as lines
     from sales.invoice i where invoice_no = $1`,
    [invoiceNo],
  );
}

const rounds = Array.from({ length: ROUNDS }, (_, n) => n + 1);

describe('20 clients at once', () => {
  it.each(rounds)('with one Idempotency-Key have one effect and one answer (round %i)', async (round) => {
    const invoice = singleInvoice(random, `K-${round}`);
    const headers = { 'idempotency-key': `same-${round}` };
    const answers = await atOnce((client) => client.post<ImportAnswer & Problem>(PATH, invoice, headers));
    const first = withStatus(answers, 201);
    const inFlight = withStatus(answers, 409);
    expect(first.length).toBeGreaterThan(0);
    expect(first.length + inFlight.length).toBe(CLIENTS);
    expect(new Set(inFlight.map(({ body }) => body.code))).toEqual(
      new Set(inFlight.length > 0 ? ['idempotency.in_flight'] : []),
    );
    expect(inFlight.every(({ headers: h }) => h.get('retry-after') === '1')).toBe(true);

    const later = await atOnce((client) => client.post<ImportAnswer>(PATH, invoice, headers));
    expect(new Set([...first, ...later].map(({ status, body }) => JSON.stringify([status, body]))).size).toBe(
      1,
    );
    expect(await stored(invoice.invoice_no)).toEqual([
      { id: String(first[0]?.body.data.id), total: totalOf(invoice), lines: invoice.items.length },
    ]);
  });

  it('are refused when they use the key of another body or another route', async () => {
    const invoice = singleInvoice(random, 'K-other');
    const headers = { 'idempotency-key': 'used' };
    const [one] = clients;
    const first = await one?.post<ImportAnswer>(PATH, invoice, headers);
    expect(first?.status).toBe(201);
    const others = await atOnce((client, n) =>
      client.post<Problem>(PATH, { ...singleInvoice(random, `K-other-${n}`) }, headers),
    );
    expect(others.map(({ status, body }) => `${status} ${body.code}`)).toEqual(
      Array.from({ length: CLIENTS }, () => '422 idempotency.key_reused'),
    );
    const csv = madeUpFile(random, { prefix: 'K-other-', invoices: 2, lines: 4 });
    const file = await one?.send<Problem>('POST', IMPORT_PATH, csv, {
      ...headers,
      'content-type': 'text/csv',
    });
    expect(`${file?.status} ${file?.body.code}`).toBe('422 idempotency.key_reused');
    expect(
      await product.sql.number(`select count(*) from sales.invoice where invoice_no like 'K-other%'`),
    ).toBe(1);
    // The first answer stands.
    const again = await one?.post<ImportAnswer>(PATH, invoice, headers);
    expect([again?.status, again?.body]).toEqual([201, first?.body]);
  });

  it.each(rounds)('that import one invoice without a key store one row (round %i)', async (round) => {
    const invoice = singleInvoice(random, `N-${round}`);
    const answers = await atOnce((client) => client.post<ImportAnswer>(PATH, invoice));
    expect(withStatus(answers, 201)).toHaveLength(1);
    expect(withStatus(answers, 200)).toHaveLength(CLIENTS - 1);
    expect(new Set(answers.map(({ body }) => JSON.stringify(body.data))).size).toBe(1);
    expect(await stored(invoice.invoice_no)).toEqual([
      { id: String(answers[0]?.body.data.id), total: totalOf(invoice), lines: invoice.items.length },
    ]);
  });

  it.each(rounds)('that import other contents under one number: one wins (round %i)', async (round) => {
    const bodies: SingleInvoice[] = clients.map((_, n) => ({
      ...singleInvoice(random, `D-${round}`),
      salesman: `Seller ${n}`,
    }));
    const answers = await atOnce((client, n) => client.post<ImportAnswer & Problem>(PATH, bodies[n]));
    const winner = answers.findIndex(({ status }) => status === 201);
    expect(withStatus(answers, 201)).toHaveLength(1);
    expect(withStatus(answers, 409).map(({ body }) => body.code)).toEqual(
      Array.from({ length: CLIENTS - 1 }, () => 'sales.invoice_differs'),
    );
    const won = bodies[winner] as SingleInvoice;
    expect(await stored(`D-${round}`)).toEqual([
      { id: String(answers[winner]?.body.data.id), total: totalOf(won), lines: won.items.length },
    ]);
  });

  it('that upload one file with one key begin one session', async () => {
    const csv = madeUpFile(random, { prefix: 'U-', invoices: 200, lines: 1000 });
    const headers = { 'idempotency-key': 'file', 'content-type': 'text/csv' };
    const send = (client: Client) =>
      client.send<{ session_id: string } & Problem>('POST', IMPORT_PATH, csv, headers);
    const answers = await atOnce(send);
    const first = withStatus(answers, 202);
    expect(first.length).toBeGreaterThan(0);
    expect(first.length + withStatus(answers, 409).length).toBe(CLIENTS);
    const later = await atOnce(send);
    expect(new Set([...first, ...later].map(({ status, body }) => `${status} ${body.session_id}`)).size).toBe(
      1,
    );
    expect(await product.sql.number('select count(*) from platform.session')).toBe(1);
    await eventually('the import ends', async () =>
      product.sql.number(`select count(*) from platform.session where state = 'completed'`),
    );
    // Uploads that were answered otherwise left nothing behind.
    expect(await product.sql.number('select count(*) from sales.import_file')).toBe(0);
    expect(await product.sql.number(`select count(*) from sales.invoice where invoice_no like 'U-%'`)).toBe(
      200,
    );
  });

  it('that upload the same invoices in other orders, without a key, store each once', async () => {
    const invoices = Array.from({ length: 1500 }, (_, n) => singleInvoice(random, `V-${n}`));
    const files = Array.from({ length: 4 }, () =>
      [CSV_HEADER, ...random.shuffle(invoices).flatMap(asRows)].join('\n'),
    );
    const ids = await Promise.all(files.map(async (csv, n) => startImport(await product.client(n % 2), csv)));
    await eventually('the imports end', async () => {
      const over = await Promise.all(ids.map((id) => isOver(product.sql, id)));
      return over.every(Boolean);
    });
    const row = await product.sql.row(
      `select array_agg(distinct state) as states, sum(created)::int as created, sum(unchanged)::int as unchanged,
         sum(processed)::int as processed from platform.session where id = any($1)`,
      [ids],
    );
    expect(row).toEqual({ states: ['completed'], created: 1500, unchanged: 4500, processed: 6000 });
    const expected = await expectedOf(Readable.from([files[0]]));
    expect(await differencesFrom(product.sql, expected, { pattern: 'V-%' })).toEqual([]);
  });

  it('leave each invoice told once', async () => {
    await eventually('all events are numbered', () => outboxIsEmpty(product.sql));
    expect(await gapsInStreams(product.sql)).toEqual([]);
    expect(await importsNotToldOnce(product.sql)).toEqual([]);
  });
});
