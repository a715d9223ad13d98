import type { ImportAnswer } from '#modules/sales/import-invoice/import-invoice.command.js';
import { type TestApi, startApi } from '#testing/app.js';
import type { Client } from '#testing/http-client.js';
import {
  IMPORT,
  type Invoice,
  type Item,
  LIST,
  anInvoice,
  expectRefused,
  imported,
  invoiceOf,
  pageOf,
} from './sales-http.js';

let api: TestApi;
let operator: Client;

beforeAll(async () => {
  api = await startApi();
  operator = await api.client('operator');
});
afterAll(() => api.close());

const send = (invoice: object, headers?: Record<string, string>) =>
  operator.post<ImportAnswer>(IMPORT, invoice, headers);
const line = (quantity: number | string, mrp: number | string): Item => ({ name: 'x', quantity, mrp });
const totalOf = async (...items: Item[]) => (await send(anInvoice({ items }))).body.data.total_amount;

describe('money', () => {
  it.each<[number | string, number | string, number]>([
    [1, 0.005, 0.01],
    [1, '0.005', 0.01],
    [-1, 0.005, -0.01],
    [1, -0.005, -0.01],
    [1, 0.0049, 0],
    [3, '0.115', 0.35],
    [1, 1.005, 1.01],
    [1, 2.675, 2.68],
    ['1.5', '0.07', 0.11],
    [0.1, 0.2, 0.02],
    ['0.3333', '0.3333', 0.11],
    ['2', '3.50', 7],
    ['007', '01.10', 7.7],
    [0, 5, 0],
    [-3, '2.5', -7.5],
    [2, 0, 0],
    [1, -11062.06, -11062.06],
    ['99999999999', '99.99', 9998999999900.01],
    [1e-4, 1e4, 1],
  ])('%j x %j is %j, half away from zero', async (quantity, mrp, expected) => {
    expect(await totalOf(line(quantity, mrp))).toBe(expected);
  });

  it('is rounded line by line, then summed', async () => {
    expect(await totalOf(line(1, 0.005), line(1, 0.005), line(1, 0.005))).toBe(0.03);
    expect(await totalOf(line(1, 0.1), line(1, 0.2))).toBe(0.3);
    expect(await totalOf(line(1, 10), line(-1, 2.5))).toBe(7.5);
  });

  it('is shown as it was given, in the shape of the seed', async () => {
    const items = [line('20', '3.50'), line(-2.125, '0.1234'), line('0', 85)];
    const { body } = await send(anInvoice({ items }));
    const shown = await invoiceOf(operator, body.data.id);
    expect(shown.body.items.map(({ quantity, mrp }) => [quantity, mrp])).toEqual([
      [20, 3.5],
      [-2.125, 0.1234],
      [0, 85],
    ]);
    const text = await (
      await fetch(`${api.url}${LIST}${body.data.id}`, { headers: operator.headers })
    ).text();
    expect(text).toContain('"total_amount":69.74');
    expect(text).toContain('"mrp":0.1234');
  });

  it('keeps 15 digits exactly', async () => {
    const { body } = await send(anInvoice({ items: [line(1, 12345678901.2345)] }));
    const text = await (
      await fetch(`${api.url}${LIST}${body.data.id}`, { headers: operator.headers })
    ).text();
    expect(text).toContain('"mrp":12345678901.2345');
  });
});

describe('what is stored', () => {
  it('is the text that came, in any script', async () => {
    const items = [{ ...line(1, 1), name: 'Søn — 東京 🫖 "quoted" \\ back', remarks: 'a\nb\tc' }];
    const customer = { code: 'ÜÑÍ', name: `O'Neil & Sons <b>` };
    const id = await imported(operator, { items, customer, remarks: '=1+1', salesman: 'Åsa' });
    const { body } = await invoiceOf(operator, id);
    expect(body.items[0]).toMatchObject(items[0] ?? {});
    expect(body).toMatchObject({ customer, remarks: '=1+1', salesman: { name: 'Åsa', phone: '' } });
  });

  it('has null or empty where nothing was said', async () => {
    const id = await imported(operator, { customer: { code: 'BARE' }, items: [line(1, 1)] });
    expect((await invoiceOf(operator, id)).body).toMatchObject({
      customer: {
        code: 'BARE',
        name: '',
        area: '',
        address1: '',
        address2: '',
        phone1: '',
        phone2: '',
        email: '',
      },
      salesman: null,
      created_by: null,
      remarks: null,
      items: [{ item_code: '', shelf_location: '', remarks: '' }],
    });
  });

  it('keeps the order of the lines, and lines that are alike', async () => {
    const items = [line(3, 1), line(1, 1), line(1, 1), line(2, 1)];
    const id = await imported(operator, { items });
    const { body } = await invoiceOf(operator, id);
    expect(body.items.map((item) => item.quantity)).toEqual([3, 1, 1, 2]);
    expect(new Set(body.items.map((item) => item.id)).size).toBe(4);
  });

  it('trims the number and the codes that identify', async () => {
    const first = await send(
      anInvoice({ invoice_no: '  SP-1 ', customer: { code: ' C-9 ' }, salesman: ' Zoe ' }),
    );
    expect(first.body.data.invoice_no).toBe('SP-1');
    const { body } = await invoiceOf(operator, first.body.data.id);
    expect(body).toMatchObject({ invoice_no: 'SP-1', customer: { code: 'C-9' }, salesman: { name: 'Zoe' } });
  });

  it('shares customer and salesman between invoices', async () => {
    const [a, b] = [
      await imported(operator, { salesman: 'Zoe' }),
      await imported(operator, { salesman: 'Zoe' }),
    ];
    const [one, two] = [await invoiceOf(operator, a), await invoiceOf(operator, b)];
    expect(one.body.salesman?.id).toBe(two.body.salesman?.id);
  });

  it('takes 1,000 lines in one body', async () => {
    const items = Array.from({ length: 1000 }, (_, i) => line(1, (i + 1) / 100));
    expect(await totalOf(...items)).toBe(5005);
  });
});

describe('a customer', () => {
  it('keeps what a later import leaves out, takes what it says', async () => {
    const full = { code: 'KEEP', name: 'Old', area: 'North', phone1: '1', email: 'a@b.example' };
    const id = await imported(operator, { customer: full });
    await imported(operator, { customer: { code: 'KEEP' } });
    expect((await invoiceOf(operator, id)).body.customer).toMatchObject(full);
    await imported(operator, { customer: { code: 'KEEP', name: 'New', phone1: undefined } });
    expect((await invoiceOf(operator, id)).body.customer).toMatchObject({ ...full, name: 'New' });
    await send({ ...anInvoice(), customer: { code: 'KEEP', area: null, name: null } });
    expect((await invoiceOf(operator, id)).body.customer).toMatchObject({ ...full, name: 'New' });
  });

  it('is emptied by an empty text, which says something', async () => {
    const id = await imported(operator, {
      customer: { code: 'EMPTY', address2: 'Floor 2', email: 'a@b.example' },
    });
    await imported(operator, { customer: { code: 'EMPTY', address2: '', email: '' } });
    expect((await invoiceOf(operator, id)).body.customer).toMatchObject({ address2: '', email: '' });
  });

  it('keeps its new name when an older invoice is re-sent', async () => {
    const old = anInvoice({ customer: { code: 'RENAMED', name: 'Old name' } });
    await send(old);
    const id = await imported(operator, { customer: { code: 'RENAMED', name: 'New name' } });
    expect((await send(old)).status).toBe(200);
    expect((await invoiceOf(operator, id)).body.customer.name).toBe('New name');
  });

  it('is not touched by an import that is refused', async () => {
    const id = await imported(operator, { invoice_no: 'REF-1', customer: { code: 'REF', name: 'Before' } });
    const other = anInvoice({
      invoice_no: 'REF-1',
      customer: { code: 'REF', name: 'After' },
      items: [line(9, 9)],
    });
    expectRefused(await send(other), 409);
    expect((await invoiceOf(operator, id)).body.customer.name).toBe('Before');
  });
});

describe('the same number again', () => {
  it('with the same content is answered in the shape of the first', async () => {
    const invoice = anInvoice({ salesman: 'Ann', remarks: 'x' });
    const first = await send(invoice);
    const again = await send(invoice);
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(Object.keys(again.body)).toEqual(Object.keys(first.body));
    expect(again.body).toEqual({ ...first.body, status_code: 200, message: expect.any(String) });
    expect((await pageOf(operator, `?invoice_no=${invoice.invoice_no}`)).body.count).toBe(1);
  });

  it('in another order of fields, with 3.50 for 3.5 and "2" for 2, is the same', async () => {
    const { invoice_no, invoice_date, customer } = anInvoice();
    const items = [line(2, 3.5)];
    expect((await send({ invoice_no, invoice_date, customer, items })).status).toBe(201);
    const again = {
      items: [{ mrp: '3.50', quantity: '2', name: 'x', item_code: '' }],
      customer,
      invoice_no,
      invoice_date,
    };
    expect((await send(again)).status).toBe(200);
    expect((await send({ ...again, salesman: null, remarks: null })).status).toBe(200);
  });

  it.each<[string, Partial<Invoice>]>([
    ['invoice_date', { invoice_date: '2026-01-03' }],
    ['salesman', { salesman: 'Someone else' }],
    ['created_by', { created_by: 'other' }],
    ['remarks', { remarks: 'changed' }],
    ['customer.code', { customer: { code: 'OTHER', name: 'Corner Shop' } }],
    ['customer.name', { customer: { code: 'C-1', name: 'Other name' } }],
    ['items[0].quantity', { items: [{ name: 'Tea', item_code: 'TEA', quantity: 3, mrp: 3.5 }] }],
    ['items[0].mrp', { items: [{ name: 'Tea', item_code: 'TEA', quantity: 2, mrp: 3.51 }] }],
    ['items[0].name', { items: [{ name: 'Coffee', item_code: 'TEA', quantity: 2, mrp: 3.5 }] }],
    ['items[0].item_code', { items: [{ name: 'Tea', item_code: 'T2', quantity: 2, mrp: 3.5 }] }],
    ['items', { items: [line(1, 1), line(2, 2)] }],
  ])('with another %s is refused, which is named and not stored', async (field, change) => {
    const invoice = anInvoice({ salesman: 'Ann', created_by: 'till 1', remarks: 'first' });
    const { body } = await send(invoice);
    const before = await invoiceOf(operator, body.data.id);
    const answer = await send({ ...invoice, ...change });
    expectRefused(answer, 409, field);
    expect(Object.keys(answer.body.errors ?? {})).toHaveLength(1);
    expect(answer.body.code).toBe('sales.invoice_differs');
    expect((await invoiceOf(operator, body.data.id)).body).toEqual(before.body);
  });

  it('is the same after a PATCH: what counts is the last accepted request, not the rows of today', async () => {
    const invoice = anInvoice();
    const { body } = await send(invoice);
    await operator.patch(`${LIST}${body.data.id}`, { remarks: 'by hand', items: [line(5, 5)] });
    const again = await send(invoice);
    expect(again.status).toBe(200);
    expect(again.body.data.id).toBe(body.data.id);
    expect((await invoiceOf(operator, body.data.id)).body.remarks).toBe('by hand');
  });

  it('after a PATCH, content that was never imported is still refused', async () => {
    const invoice = anInvoice();
    const { body } = await send(invoice);
    await operator.patch(`${LIST}${body.data.id}`, { remarks: 'by hand' });
    expectRefused(await send({ ...invoice, remarks: 'by hand' }), 409);
  });

  it('of a deleted invoice is refused: its number stays taken', async () => {
    const invoice = anInvoice();
    const { body } = await send(invoice);
    await operator.delete(`${LIST}${body.data.id}`);
    const same = await send(invoice);
    expectRefused(same, 409);
    expect(same.body.code).toBe('sales.invoice_deleted');
    expectRefused(await send({ ...invoice, remarks: 'other' }), 409);
  });

  it('that another program wrote is refused with its differences', async () => {
    const invoice = anInvoice({ invoice_no: 'FOREIGN-1' });
    await imported(operator);
    await api.db.execute(`insert into sales.invoice (invoice_no, invoice_date, customer_id)
      select 'FOREIGN-1', '2026-01-05', id from sales.customer where code = 'C-1'`);
    expectRefused(await send(invoice), 409, 'invoice_date', 'items');
  });

  it('separators inside of texts do not make two contents the same', async () => {
    const invoice = anInvoice({ items: [{ ...line(1, 1), name: 'A\u001fB', item_code: '' }] });
    await send(invoice);
    expectRefused(
      await send({ ...invoice, items: [{ ...line(1, 1), name: 'A', item_code: 'B\u001f' }] }),
      409,
    );
    const two = anInvoice({ items: [line(1, 1)], remarks: 'r' });
    await send(two);
    expectRefused(await send({ ...two, remarks: '\u001f', created_by: undefined }), 409);
    const three = anInvoice({ created_by: undefined, items: [line(1, 1)] });
    await send(three);
    expectRefused(await send({ ...three, created_by: '\u001f' }), 409);
  });
});

it('20 at once store it once: one 201, the others 200 with the same id', async () => {
  const invoice = anInvoice({ customer: { code: 'RACE', name: 'New for all' }, salesman: 'Racer' });
  const answers = await Promise.all(Array.from({ length: 20 }, () => send(invoice)));
  expect(answers.map((a) => a.status).sort()).toEqual([...Array<number>(19).fill(200), 201]);
  expect(new Set(answers.map((a) => a.body.data.id)).size).toBe(1);
  const { body } = await pageOf(operator, `?invoice_no=${invoice.invoice_no}`);
  expect(body.count).toBe(1);
  expect(body.results[0]?.items).toHaveLength(1);
});

it('20 different ones of one customer at once do not block each other', async () => {
  const invoices = Array.from({ length: 20 }, (_, i) =>
    anInvoice({ customer: { code: 'BUSY', name: `Name ${i}` } }),
  );
  const answers = await Promise.all(invoices.map((invoice) => send(invoice)));
  expect(new Set(answers.map((a) => a.status))).toEqual(new Set([201]));
  expect((await pageOf(operator, '?customer=BUSY')).body.count).toBe(20);
});
