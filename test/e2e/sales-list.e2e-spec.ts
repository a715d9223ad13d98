import type { InvoicePage } from '#modules/sales/list-invoices/list-invoices.query.js';
import { type TestApi, startApi } from '#testing/app.js';
import type { Client } from '#testing/http-client.js';
import { LIST, expectRefused, imported, pageOf } from './sales-http.js';

let api: TestApi;
let operator: Client;
let viewer: Client;

beforeAll(async () => {
  api = await startApi();
  operator = await api.client('operator');
  viewer = await api.client('viewer');
});
afterAll(() => api.close());

const numbers = (page: InvoicePage) => page.results.map((row) => row.invoice_no);

it('the first page of nothing is a page', async () => {
  const { status, body } = await pageOf(viewer);
  expect(status).toBe(200);
  expect(body).toEqual({ count: 0, next: null, previous: null, next_cursor: null, results: [] });
});

describe('with 45 invoices', () => {
  const newestFirst = Array.from({ length: 45 }, (_, i) => `P-${String(45 - i).padStart(2, '0')}`);

  beforeAll(async () => {
    for (const number of [...newestFirst].reverse()) {
      await imported(operator, {
        invoice_no: number,
        invoice_date: `2026-03-${String((Number(number.slice(2)) % 28) + 1).padStart(2, '0')}`,
      });
    }
  });

  it('shows 20 a page, newest first, with the exact count', async () => {
    const { body } = await pageOf(viewer);
    expect(body.count).toBe(45);
    expect(numbers(body)).toEqual(newestFirst.slice(0, 20));
    expect(body.previous).toBeNull();
    expect(body.next).toBe(`${api.config.publicUrl}${LIST}?page=2`);
  });

  it('next walks all rows once, previous walks back', async () => {
    const seen: string[] = [];
    const backwards: (string | null)[] = [];
    for (let url: string | null = `${LIST}?page_size=7`; url;) {
      const answer: { status: number; body: InvoicePage } = await viewer.get<InvoicePage>(
        url.replace(api.config.publicUrl, ''),
      );
      expect(answer.status).toBe(200);
      expect(answer.body.count).toBe(45);
      seen.push(...numbers(answer.body));
      backwards.push(answer.body.previous);
      url = answer.body.next;
    }
    expect(seen).toEqual(newestFirst);
    expect(backwards[0]).toBeNull();
    expect(new URL(backwards.at(-1) ?? '').searchParams.get('page')).toBe('6');
    expect(new URL(backwards.at(-1) ?? '').searchParams.get('page_size')).toBe('7');
  });

  it.each([1, 2, 4])('the cursor goes on by keyset from page %i', async (page) => {
    const { body } = await pageOf(viewer, `?page=${page}&page_size=10`);
    const seen: string[] = [];
    for (let cursor = body.next_cursor; cursor;) {
      const rest = await pageOf(viewer, `?page_size=10&cursor=${cursor}`);
      expect(rest.status).toBe(200);
      expect(rest.body.count).toBeNull();
      expect(rest.body.previous).toBeNull();
      seen.push(...numbers(rest.body));
      expect(rest.body.next === null).toBe(rest.body.next_cursor === null);
      cursor = rest.body.next_cursor;
    }
    expect(seen).toEqual(newestFirst.slice(page * 10));
  });

  it('the next of a page by cursor stays with the cursor', async () => {
    const { body } = await pageOf(viewer, '?page_size=20&customer=C-1');
    const second = await pageOf(viewer, `?page_size=20&customer=C-1&cursor=${body.next_cursor}`);
    const next = new URL(second.body.next ?? '');
    expect(next.searchParams.get('cursor')).toBe(second.body.next_cursor);
    expect(next.searchParams.get('customer')).toBe('C-1');
    const third = await viewer.get<InvoicePage>(`${next.pathname}${next.search}`);
    expect(numbers(third.body)).toEqual(newestFirst.slice(40));
  });

  it('a cursor is not moved by invoices that come meanwhile', async () => {
    const { body } = await pageOf(viewer, '?page_size=40');
    const id = await imported(operator, { invoice_no: 'LATE-1' });
    const rest = await pageOf(viewer, `?page_size=40&cursor=${body.next_cursor}`);
    expect(numbers(rest.body)).toEqual(newestFirst.slice(40));
    await operator.delete(`${LIST}${id}`);
  });

  it('a page of exactly the rest has no next', async () => {
    const { body } = await pageOf(viewer, '?page=5&page_size=9');
    expect(body.results).toHaveLength(9);
    expect([body.next, body.next_cursor]).toEqual([null, null]);
  });

  it.each([
    ['page', '?page=0'],
    ['page', '?page=-1'],
    ['page', '?page=1.5'],
    ['page', '?page=two'],
    ['page', '?page='],
    ['page', '?page=1&page=2'],
    ['page', '?page=99999999999999999999'],
    ['page_size', '?page_size=0'],
    ['page_size', '?page_size=101'],
    ['page_size', '?page_size=1000'],
    ['page_size', '?page_size=-5'],
    ['page_size', '?page_size=ten'],
    ['date_from', '?date_from=2026-02-30'],
    ['date_to', '?date_to=yesterday'],
    ['invoice_no', `?invoice_no=${'x'.repeat(65)}`],
    ['q', `?q=${'x'.repeat(201)}`],
    ['q', '?q=a&q=b'],
    ['limit', '?limit=10'],
    ['sort', '?sort=id'],
  ])('refuses a wrong %s: %s', async (field, query) => {
    expectRefused(await pageOf(viewer, query), 400, field);
  });

  it('takes 100 a page and not more', async () => {
    expect((await pageOf(viewer, '?page_size=100')).body.results).toHaveLength(45);
  });

  it('past the end there is nothing: 404', async () => {
    expectRefused(await pageOf(viewer, '?page=4'), 404);
    expectRefused(await pageOf(viewer, '?page=2&q=nobody'), 404);
    expect((await pageOf(viewer, '?page=1&q=nobody')).body).toMatchObject({ count: 0, results: [] });
  });

  it.each([
    ['garbage', 'garbage'],
    ['an empty one', ''],
    ['another list', Buffer.from('["sessions","2026-01-01",1]').toString('base64url')],
    ['a made-up position', Buffer.from('["sales.invoices","x"]').toString('base64url')],
    ['too many positions', Buffer.from('["sales.invoices",1,2]').toString('base64url')],
    [
      'a position beyond bigint',
      Buffer.from('["sales.invoices","99999999999999999999"]').toString('base64url'),
    ],
    ['an object', Buffer.from('{"a":1}').toString('base64url')],
  ])('refuses a cursor that it did not hand out: %s', async (_what, cursor) => {
    expectRefused(await pageOf(viewer, `?cursor=${cursor}`), 400, 'cursor');
  });

  it('refuses its cursor on other lists, and theirs here', async () => {
    const { body } = await pageOf(viewer);
    expectRefused(await viewer.get(`/api/sessions?cursor=${body.next_cursor}`), 400, 'cursor');
    const admin = await api.client('admin');
    const audit = await admin.get<{ page: { next_cursor: string } }>('/api/identity/audit?limit=1');
    expectRefused(await pageOf(viewer, `?cursor=${audit.body.page.next_cursor}`), 400, 'cursor');
  });

  it('refuses a page number beside a cursor', async () => {
    const { body } = await pageOf(viewer);
    expectRefused(await pageOf(viewer, `?page=2&cursor=${body.next_cursor}`), 400, 'page');
  });

  it('leaves deleted ones out of rows and count', async () => {
    const id = await imported(operator, { invoice_no: 'GONE-1' });
    expect((await pageOf(viewer)).body.count).toBe(46);
    await operator.delete(`${LIST}${id}/`);
    const { body } = await pageOf(viewer);
    expect(body.count).toBe(45);
    expect(numbers(body)).not.toContain('GONE-1');
    expect((await pageOf(viewer, '?invoice_no=GONE-1')).body).toMatchObject({ count: 0, results: [] });
  });

  it('does not care for trailing slashes', async () => {
    const [with_, without] = await Promise.all([
      viewer.get('/api/sales/invoices/?page_size=3'),
      viewer.get('/api/sales/invoices?page_size=3'),
    ]);
    expect(without).toMatchObject({ status: 200, body: with_.body });
  });
});

describe('filters', () => {
  beforeAll(async () => {
    const rows: [string, string, string, string | null, string | undefined][] = [
      ['F-1', '2025-05-01', 'ACME', 'Acme 100% Pure', 'Ann Lee'],
      ['F-2', '2025-05-02', 'ACME', null, 'Bob_Stone'],
      ['F-3', '2025-05-03', 'A_ME', 'Under_score', 'BobXStone'],
      ['F-4', '2025-05-04', 'BACK', 'Back\\slash Ltd', undefined],
      ['F%5', '2025-05-05', 'QUOTE', `O'Hara "Søn" 東京`, 'Ann Marie'],
    ];
    for (const [invoice_no, invoice_date, code, name, salesman] of rows) {
      await imported(operator, {
        invoice_no,
        invoice_date,
        customer: { code, ...(name && { name }) },
        ...(salesman && { salesman }),
      });
    }
  });

  const found = async (filter: Record<string, string>) => {
    const query = new URLSearchParams({ date_to: '2025-12-31', ...filter });
    const { status, body } = await pageOf(viewer, `?${query.toString()}`);
    expect(status).toBe(200);
    expect(body.count).toBe(body.results.length);
    return numbers(body);
  };

  it.each<[Record<string, string>, string[]]>([
    [{ invoice_no: 'F-2' }, ['F-2']],
    [{ invoice_no: 'F' }, []],
    [{ invoice_no: 'F%5' }, ['F%5']],
    [{ invoice_no: 'F%' }, []],
    [{ customer: 'ACME' }, ['F-2', 'F-1']],
    [{ customer: 'acme 100' }, ['F-2', 'F-1']],
    [{ customer: '100%' }, ['F-2', 'F-1']],
    [{ customer: '%' }, ['F-2', 'F-1']],
    [{ customer: '_' }, ['F-3']],
    [{ customer: 'A_ME' }, ['F-3']],
    [{ customer: '\\' }, ['F-4']],
    [{ customer: 'back\\slash' }, ['F-4']],
    [{ customer: `o'hara "sø` }, ['F%5']],
    [{ customer: '東' }, ['F%5']],
    [{ salesman: 'ann' }, ['F%5', 'F-1']],
    [{ salesman: 'bob_s' }, ['F-2']],
    [{ salesman: '%' }, []],
    [{ salesman: '\\' }, []],
    [{ date_from: '2025-05-02', date_to: '2025-05-04' }, ['F-4', 'F-3', 'F-2']],
    [{ date_from: '2025-05-05' }, ['F%5']],
    [{ date_from: '2025-06-01', date_to: '2025-05-01' }, []],
    [{ q: 'f-' }, ['F-4', 'F-3', 'F-2', 'F-1']],
    [{ q: 'F%' }, ['F%5']],
    [{ q: 'pure' }, ['F-2', 'F-1']],
    [{ q: 'a_m' }, ['F-3']],
    [{ q: '\\s' }, ['F-4']],
    [{ search: 'quote' }, ['F%5']],
    [{ customer: 'ACME', salesman: 'bob' }, ['F-2']],
    [{ q: 'acme', date_from: '2025-05-02' }, ['F-2']],
    [{ q: 'F-', customer: 'ACME', salesman: 'ann', date_from: '2025-05-01' }, ['F-1']],
    [{ q: `'; drop table sales.invoice; --` }, []],
  ])('%j finds %j', async (filter, expected) => {
    expect(await found(filter)).toEqual(expected);
  });

  it('an empty filter, as a form sends it, filters nothing', async () => {
    const all = await found({});
    expect(all).toHaveLength(5);
    for (const field of ['q', 'search', 'customer', 'salesman', 'invoice_no']) {
      expect({ field, found: await found({ [field]: '' }) }).toEqual({ field, found: all });
    }
  });

  it.each(['q', 'search', 'customer', 'salesman', 'invoice_no', 'cursor'])(
    'a NUL character in %s is refused, not an error of ours',
    async (field) => {
      expectRefused(await pageOf(viewer, `?${field}=a%00b`), 400, field);
    },
  );

  it('links keep the filters and their special characters', async () => {
    const { body } = await pageOf(viewer, `?page_size=1&q=${encodeURIComponent('100% Pure')}`);
    expect(body.count).toBe(2);
    const next = new URL(body.next ?? '');
    expect(next.searchParams.get('q')).toBe('100% Pure');
    const second = await viewer.get<InvoicePage>(`${next.pathname}${next.search}`);
    expect(numbers(second.body)).toEqual(['F-1']);
    const byCursor = await pageOf(viewer, `?page_size=1&q=Pure&cursor=${body.next_cursor}`);
    expect(numbers(byCursor.body)).toEqual(['F-1']);
  });
});
