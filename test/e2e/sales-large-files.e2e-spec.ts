import { Decimal } from 'decimal.js';
import { type TestApi, startApi } from '#testing/app.js';
import type { Client } from '#testing/http-client.js';
import { SseReader } from '#testing/sse-reader.js';
import { NDJSON, STREAM, anInvoice, importFile, ndjson, pageOf } from './sales-http.js';

let api: TestApi;
let operator: Client;

beforeAll(async () => {
  api = await startApi({ worker: true });
  operator = await api.client('operator');
});
afterAll(() => api.close());

const HEADER = 'invoice_no,invoice_date,customer.code,items.name,items.item_code,items.quantity,items.mrp';
const csv = (...lines: string[]) => `${[HEADER, ...lines].join('\n')}\n`;

it('many pages: every invoice and cent of the file is stored and told once', async () => {
  const stream = await SseReader.open(api.url + STREAM, operator.headers);
  const rows = Array.from({ length: 12_000 }, (_, i) => {
    const quantity = (i % 7) - 2;
    const price = ((i * 37) % 1000) / 1000;
    return { no: `M-${i % 2600}`, quantity, price: price.toFixed(3) };
  });
  const session = await importFile(
    operator,
    csv(
      ...rows.map(
        (r) => `${r.no},2026-01-02,C-${r.no.slice(2, 4)},"thing ""${r.no}""",X,${r.quantity},${r.price}`,
      ),
    ),
  );
  expect(session).toMatchObject({ state: 'completed', created: 2600, processed: 2600, failed: 0 });
  const exact = rows.reduce((sum, r) => sum.plus(new Decimal(r.quantity).times(r.price)), new Decimal(0));
  const rounded = rows.reduce(
    (sum, r) => sum.plus(new Decimal(r.quantity).times(r.price).toDecimalPlaces(2)),
    new Decimal(0),
  );
  const sums = await api.db.first<{ lines: string; exact: string; rounded: string }>(
    `select count(*) as lines, sum(quantity * mrp) as exact, (select sum(total_amount) from sales.invoice where invoice_no like 'M-%') as rounded
     from sales.invoice_item l join sales.invoice i on i.id = l.invoice_id where i.invoice_no like 'M-%'`,
  );
  expect(Number(sums?.lines)).toBe(12_000);
  expect(new Decimal(sums?.exact ?? 0).eq(exact)).toBe(true);
  expect(new Decimal(sums?.rounded ?? 0).eq(rounded)).toBe(true);
  const told = () => stream.events.filter(({ data }) => String(data.invoice_no).startsWith('M-'));
  await stream.until(() => told().length >= 2600);
  expect(new Set(told().map(({ data }) => data.invoice_no)).size).toBe(2600);
  expect(told()).toHaveLength(2600);
  const seqs = stream.events.map(({ id }) => Number(id.split('.')[1]));
  expect(seqs).toEqual(seqs.map((_, i) => (seqs[0] ?? 0) + i));
  await stream.cut();
});

it('the same invoices in two files, in opposite order, and one by one, all at once: each is stored once', async () => {
  const invoices = Array.from({ length: 1200 }, (_, i) =>
    anInvoice({
      invoice_no: `BOTH-${i}`,
      customer: { code: `B-${i % 7}`, name: 'Same' },
      salesman: `S${i % 5}`,
    }),
  );
  const single = invoices.filter((_, i) => i % 20 === 0);
  const [forth, back, answers] = await Promise.all([
    importFile(operator, ndjson(...invoices), { type: NDJSON }),
    importFile(operator, ndjson(...[...invoices].reverse()), { type: NDJSON }),
    Promise.all(single.map((invoice) => operator.post('/api/sales/import/invoice', invoice))),
  ]);
  for (const session of [forth, back])
    expect(session).toMatchObject({
      state: 'completed',
      processed: 1200,
      failed: 0,
      conflicts: 0,
      skipped: 0,
    });
  expect(answers.every(({ status }) => status === 200 || status === 201)).toBe(true);
  const created = answers.filter(({ status }) => status === 201).length;
  expect(forth.created + back.created + created).toBe(1200);
  expect((await pageOf(operator, '?q=BOTH-')).body.count).toBe(1200);
});

it('the exact count is right after all that', async () => {
  const { count } = (await pageOf(operator)).body;
  const real = await api.db.first<{ n: string }>(
    'select count(*) as n from sales.invoice where deleted_at is null',
  );
  expect(count).toBe(Number(real?.n));
});
