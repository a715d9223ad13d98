import { Decimal } from 'decimal.js';
import { type TestApi, startApi } from '#testing/app.js';
import type { Client } from '#testing/http-client.js';
import { SseReader } from '#testing/sse-reader.js';
import { NDJSON, STREAM, anInvoice, importFile, ndjson, pageOf, rejected } from './sales-http.js';

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

describe('lines of an invoice that are far apart in the file', () => {
  /** So many other invoices that no chunk holds what stands before and after them. */
  const filler = (name: string) =>
    Array.from({ length: 5000 }, (_, i) => `${name}-${i},2026-01-02,C-1,${'filler '.repeat(20)},F,1,1`);

  it('make one invoice, in the order of its lines, whose first line stands in its head', async () => {
    const session = await importFile(
      operator,
      csv(
        'FAR-1,2026-01-31 23:59,C-1,first,1,1,1.005',
        ...filler('FA'),
        'FAR-1,2026-02-01,C-1,second,2,2,2',
        'FAR-2,2026-01-02,C-1,near,1,1,1',
        ...filler('FB'),
        'FAR-1,2026-02-01,C-1,third,3,-1,0.5',
        'FAR-2,2026-01-02,C-1,near too,1,1,1',
      ),
    );
    expect(session).toMatchObject({
      state: 'completed',
      created: 10_002,
      processed: 10_002,
      total: 10_002,
      failed: 0,
    });
    const found = async (number: string) => (await pageOf(operator, `?invoice_no=${number}`)).body.results[0];
    const far = await found('FAR-1');
    expect(far).toMatchObject({ invoice_date: '2026-01-31', total_amount: 4.51 });
    expect(far?.items.map(({ name }) => name)).toEqual(['first', 'second', 'third']);
    expect((await found('FAR-2'))?.items.map(({ name }) => name)).toEqual(['near', 'near too']);
  });

  it('are refused together when one of them is bad, wherever it stands', async () => {
    const session = await importFile(
      operator,
      csv(
        'BAD-1,2026-01-02,C-1,good,1,1,1',
        'BAD-2,2026-01-02,C-1,good,1,many,1',
        'BAD-3,2026-01-02,C-1,good,1,1,1',
        ...filler('BA'),
        'BAD-1,2026-01-02,C-1,bad,1,many,1',
        'BAD-2,2026-01-02,C-1,good,1,1,1',
        'BAD-3,2026-01-02,C-1,good,1,1',
        ',2026-01-02,C-1,nobody,1,1,1',
      ),
    );
    expect(session).toMatchObject({
      state: 'completed_with_errors',
      created: 5000,
      failed: 4,
      processed: 5004,
      total: 5004,
    });
    expect((await pageOf(operator, '?q=BAD-')).body.count).toBe(0);
    const refused = await rejected(operator, session.session_id);
    const lines = refused
      .map(({ record, line }) => [record, line])
      .sort((a, b) => Number(a[1]) - Number(b[1]));
    expect(lines).toEqual([
      ['BAD-1', 2],
      ['BAD-2', 3],
      ['BAD-3', 4],
      ['BAD-1', 5005],
      ['BAD-2', 5006],
      ['BAD-3', 5007],
      [null, 5008],
    ]);
  });

  it('in NDJSON: the first line of a number counts, the last is told', async () => {
    const others = Array.from({ length: 4000 }, () => anInvoice({ remarks: 'filler '.repeat(20) }));
    const [first, second] = [anInvoice({ remarks: 'first' }), { remarks: 'second' }];
    const session = await importFile(operator, ndjson(first, ...others, { ...first, ...second }), {
      type: NDJSON,
    });
    expect(session).toMatchObject({ created: 4001, skipped: 1, processed: 4002, total: 4002 });
    expect((await pageOf(operator, `?invoice_no=${first.invoice_no}`)).body.results[0]?.remarks).toBe(
      'first',
    );
  });

  it('or not: the same invoice is the same however it comes', async () => {
    const items = [1, 2, 3].map((n) => ({ name: `n${n}`, item_code: `c${n}`, quantity: n, mrp: n / 4 }));
    const invoice = anInvoice({ invoice_no: 'SAME-1', customer: { code: 'C-1' }, items });
    expect((await operator.post('/api/sales/import/invoice', invoice)).status).toBe(201);
    const rows = items.map(
      (item) => `SAME-1,2026-01-02,C-1,${item.name},${item.item_code},${item.quantity},${item.mrp}`,
    );
    const files: [string, string?][] = [
      [csv(...rows)],
      [csv(rows[0] ?? '', ...filler('SA'), rows[1] ?? '', rows[2] ?? '')],
      [ndjson(invoice), NDJSON],
    ];
    for (const [content, type] of files) {
      const session = await importFile(operator, content, { ...(type && { type }) });
      expect(session).toMatchObject({ state: 'completed', unchanged: 1, conflicts: 0 });
    }
  });
});

it('the exact count is right after all that', async () => {
  const { count } = (await pageOf(operator)).body;
  const real = await api.db.first<{ n: string }>(
    'select count(*) as n from sales.invoice where deleted_at is null',
  );
  expect(count).toBe(Number(real?.n));
});
