import type { InvoiceView } from '#modules/sales/invoice.dto.js';
import { type TestApi, startApi } from '#testing/app.js';
import type { Client } from '#testing/http-client.js';
import { LIST, anInvoice, expectRefused, imported, invoiceOf, otherProgram, pageOf } from './sales-http.js';

let api: TestApi;
let operator: Client;
let viewer: Client;

beforeAll(async () => {
  api = await startApi();
  operator = await api.client('operator');
  viewer = await api.client('viewer');
});
afterAll(() => api.close());

const at = (id: number | string) => `${LIST}${id}/`;
const line = (quantity: number | string, mrp: number | string, name = 'x') => ({ name, quantity, mrp });
const body = ({ invoice_no: _no, ...rest } = anInvoice()) => rest;
const patch = (id: number, change: object, headers?: Record<string, string>) =>
  operator.patch<InvoiceView>(at(id), change, headers);

describe('GET one', () => {
  it('shows what the list shows, with its ETag', async () => {
    const id = await imported(operator, { salesman: 'Ann' });
    const one = await invoiceOf(viewer, id);
    expect(one.status).toBe(200);
    expect(one.headers.get('etag')).toBe('"1"');
    expect((await pageOf(viewer)).body.results[0]).toEqual(one.body);
    expect((await viewer.get(`/api/sales/invoices/${id}`)).body).toEqual(one.body);
  });

  it.each(['get', 'delete'] as const)('%s of an unknown one is 404', async (method) => {
    expectRefused(await operator[method](at(987654321)), 404);
  });

  it('of a deleted one reads as unknown, for every verb', async () => {
    const id = await imported(operator);
    const unknown = await operator.get(at(987654321));
    expect((await operator.delete(at(id))).status).toBe(204);
    const answers = [
      await operator.get(at(id)),
      await operator.delete(at(id)),
      await patch(id, { remarks: 'x' }),
      await operator.put(at(id), body()),
      await operator.post(`${at(id)}items/`, { items: [line(1, 1)] }),
    ];
    for (const answer of answers) {
      expectRefused(answer, 404);
      expect({ ...answer.body, correlation_id: '' }).toEqual({ ...unknown.body, correlation_id: '' });
    }
  });
});

describe('PATCH', () => {
  it('changes what is given and nothing else', async () => {
    const id = await imported(operator, { salesman: 'Ann', created_by: 'till', remarks: 'first' });
    const before = await invoiceOf(viewer, id);
    const { status, body: after, headers } = await patch(id, { remarks: 'second' });
    expect(status).toBe(200);
    expect(headers.get('etag')).toBe('"2"');
    expect(after).toEqual({ ...before.body, remarks: 'second' });
    expect((await invoiceOf(viewer, id)).body).toEqual(after);
  });

  it('null clears salesman, created_by and remarks', async () => {
    const id = await imported(operator, { salesman: 'Ann', created_by: 'till', remarks: 'first' });
    const { body: after } = await patch(id, { salesman: null, created_by: null, remarks: null });
    expect(after).toMatchObject({ salesman: null, created_by: null, remarks: null });
  });

  it.each(['invoice_date', 'customer', 'items'])(
    'null for %s, which an invoice cannot be without',
    async (field) => {
      const id = await imported(operator);
      expectRefused(await patch(id, { [field]: null }), 400, field);
    },
  );

  it('replaces all lines and the total when items are given', async () => {
    const id = await imported(operator, { items: [line(1, 1, 'a'), line(2, 2, 'b'), line(3, 3, 'c')] });
    const before = (await invoiceOf(viewer, id)).body;
    const { body: after } = await patch(id, { items: [line(1, 1, 'a'), line('2.5', '1.005', 'B')] });
    expect(after.total_amount).toBe(3.51);
    expect(after.items.map(({ name, quantity }) => [name, quantity])).toEqual([
      ['a', 1],
      ['B', 2.5],
    ]);
    expect(after.items.map((item) => item.id)).toEqual(before.items.slice(0, 2).map((item) => item.id));
  });

  it('moves it to another customer, and leaves out no field of that one', async () => {
    const id = await imported(operator);
    await imported(operator, { customer: { code: 'RICH', name: 'Rich', phone1: '1' } });
    const { body: after } = await patch(id, { customer: { code: 'RICH', area: 'West' } });
    expect(after.customer).toMatchObject({ code: 'RICH', name: 'Rich', phone1: '1', area: 'West' });
  });

  it.each<[string, object, string]>([
    ['nothing', {}, 'body'],
    ['an unknown field', { total_amount: 5 }, 'total_amount'],
    ['the number, which stays', { invoice_no: 'NEW' }, 'invoice_no'],
    ['no lines', { items: [] }, 'items'],
    ['a date that does not exist', { invoice_date: '2026-02-30' }, 'invoice_date'],
    ['a customer without code', { customer: { name: 'x' } }, 'customer.code'],
    ['a customer of spaces', { customer: { code: '  ' } }, 'customer.code'],
    ['a list of customers', { customer: [] }, 'customer'],
    ['a salesman of spaces', { salesman: '  ' }, 'salesman'],
    ['a salesman of nothing', { salesman: '' }, 'salesman'],
    ['lists as lines', { items: [[]] }, 'items'],
    ['a price of words', { items: [line(1, 'much')] }, 'items[0].mrp'],
    ['an overflowing total', { items: [line('99999999999', '99999999999')] }, 'items'],
  ])('of %s is refused and changes nothing', async (_what, change, field) => {
    const id = await imported(operator);
    const before = await invoiceOf(viewer, id);
    expectRefused(await patch(id, change), 400, field);
    const after = await invoiceOf(viewer, id);
    expect(after.body).toEqual(before.body);
    expect(after.headers.get('etag')).toBe('"1"');
  });
});

describe('PUT', () => {
  it('replaces everything; what is left out is cleared; number and creation stay', async () => {
    const id = await imported(operator, { salesman: 'Ann', created_by: 'till', remarks: 'first' });
    const before = (await invoiceOf(viewer, id)).body;
    const replaced = { ...body(), invoice_date: '2026-05-05', items: [line(4, 2.5)] };
    const { status, body: after } = await operator.put<InvoiceView>(at(id), replaced);
    expect(status).toBe(200);
    expect(after).toMatchObject({
      id,
      invoice_no: before.invoice_no,
      created_at: before.created_at,
      invoice_date: '2026-05-05',
      salesman: null,
      created_by: null,
      remarks: null,
      total_amount: 10,
    });
    expect(after.items).toHaveLength(1);
  });

  it.each(['invoice_date', 'customer', 'items'])('needs %s', async (field) => {
    const id = await imported(operator);
    expectRefused(await operator.put(at(id), { ...body(), [field]: undefined }), 400, field);
  });

  it('twice is the same as once, but for the version', async () => {
    const id = await imported(operator);
    const first = await operator.put<InvoiceView>(at(id), body());
    const second = await operator.put<InvoiceView>(at(id), body());
    expect(second.body).toEqual(first.body);
  });
});

describe('POST items', () => {
  it('adds lines after the last', async () => {
    const id = await imported(operator, { items: [line(1, 1, 'a')] });
    const add = await operator.post<InvoiceView>(`${at(id)}items/`, {
      items: [line(2, 2, 'b'), line(-1, 1, 'c')],
    });
    expect(add.status).toBe(201);
    expect(add.headers.get('etag')).toBe('"2"');
    expect(add.body.items.map((item) => item.name)).toEqual(['a', 'b', 'c']);
    expect(add.body.total_amount).toBe(4);
    expect((await invoiceOf(viewer, id)).body).toEqual(add.body);
  });

  it.each<[object, string]>([
    [{ items: [] }, 'items'],
    [{}, 'items'],
    [{ items: [line(1, 1)], remarks: 'x' }, 'remarks'],
    [{ items: [{ name: 'x', quantity: 1 }] }, 'items[0].mrp'],
  ])('%j is refused', async (sent, field) => {
    const id = await imported(operator);
    expectRefused(await operator.post(`${at(id)}items`, sent), 400, field);
    expect((await invoiceOf(viewer, id)).body.items).toHaveLength(1);
  });

  it('from ten at once all arrive', async () => {
    const id = await imported(operator);
    await Promise.all(
      Array.from({ length: 10 }, (_, i) => operator.post(`${at(id)}items`, { items: [line(1, i)] })),
    );
    const { body: after } = await invoiceOf(viewer, id);
    expect(after.items).toHaveLength(11);
    expect(after.total_amount).toBe(52);
  });
});

describe('If-Match', () => {
  const changes: [string, (id: number, etag: string) => Promise<{ status: number }>][] = [
    ['PATCH', (id, etag) => patch(id, { remarks: 'x' }, { 'if-match': etag })],
    ['PUT', (id, etag) => operator.put(at(id), body(), { 'if-match': etag })],
    [
      'POST items',
      (id, etag) => operator.post(`${at(id)}items`, { items: [line(1, 1)] }, { 'if-match': etag }),
    ],
    ['DELETE', (id, etag) => operator.delete(at(id), { 'if-match': etag })],
  ];
  it.each(changes)('%s with the version of yesterday is 412 and changes nothing', async (_verb, change) => {
    const id = await imported(operator);
    await patch(id, { remarks: 'somebody was faster' });
    const before = await invoiceOf(viewer, id);
    expect((await change(id, '"1"')).status).toBe(412);
    expect((await invoiceOf(viewer, id)).body).toEqual(before.body);
    expect((await change(id, before.headers.get('etag') ?? '')).status).toBeLessThan(300);
  });

  it.each(changes)('%s takes * and refuses nonsense', async (_verb, change) => {
    const id = await imported(operator);
    for (const nonsense of ['1', 'abc', '"x"', '"1", "2"'])
      expect((await change(id, nonsense)).status).toBe(400);
    expect((await change(id, '*')).status).toBeLessThan(300);
  });

  it('lets exactly one of ten writers through', async () => {
    const id = await imported(operator);
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => patch(id, { remarks: `writer ${i}` }, { 'if-match': '"1"' })),
    );
    expect(answers.map((a) => a.status).sort()).toEqual([200, ...Array<number>(9).fill(412)]);
  });

  it('sees a change that another program made', async () => {
    const id = await imported(operator);
    const other = await otherProgram(api);
    await other.query('update sales.invoice_item set quantity = 9 where invoice_id = $1', [id]);
    await other.end();
    expect((await patch(id, { remarks: 'x' }, { 'if-match': '"1"' })).status).toBe(412);
  });
});

describe('who did it', () => {
  interface Audited extends Record<string, unknown> {
    action: string;
    actor_kind: string;
    actor_label: string;
    address: string;
    correlation_id: string;
    details: Record<string, unknown>;
  }
  const auditOf = (id: number) =>
    api.db.query<Audited>('select * from platform.audit_log where subject = $1 order by id', [
      `invoice:${id}`,
    ]);

  it('is in the audit log: what, who, from where, on which request', async () => {
    const id = await imported(operator, { invoice_no: 'AUD-1', created_by: 'somebody else' });
    await patch(id, { remarks: 'x' }, { 'x-correlation-id': 'patch-0001' });
    await operator.post(`${at(id)}items`, { items: [line(1, 1), line(2, 2)] });
    await operator.delete(at(id), { 'x-correlation-id': 'delete-0001' });
    const rows = await auditOf(id);
    expect(rows.map((row) => row.action)).toEqual([
      'sales.invoice_imported',
      'sales.invoice_updated',
      'sales.invoice_items_added',
      'sales.invoice_deleted',
    ]);
    for (const row of rows) {
      expect(row).toMatchObject({
        actor_kind: 'api_key',
        actor_label: 'test operator',
        address: '127.0.0.1',
      });
    }
    expect(rows.map((row) => row.details)).toMatchObject([
      { invoice_no: 'AUD-1' },
      { fields: ['remarks'] },
      { lines: 2 },
      {},
    ]);
    expect(rows[1]?.correlation_id).toBe('patch-0001');
    expect(rows[3]?.correlation_id).toBe('delete-0001');
  });

  it('is not recorded for what was refused or repeated', async () => {
    const invoice = anInvoice();
    const id = await imported(operator, invoice);
    await imported(operator, invoice).catch(() => undefined);
    await patch(id, { remarks: 'x' }, { 'if-match': '"7"' });
    expect((await auditOf(id)).map((row) => row.action)).toEqual(['sales.invoice_imported']);
  });

  it('is one with the change: where it cannot be written, nothing changes', async () => {
    const id = await imported(operator);
    const before = await invoiceOf(viewer, id);
    await api.db.execute(`create function public.no_audit() returns trigger language plpgsql as
      $$ begin raise exception 'the disk of the secret host is full'; end $$`);
    await api.db.execute(
      'create trigger no_audit before insert on platform.audit_log for each row execute function public.no_audit()',
    );
    const invoice = anInvoice();
    const refused = [
      await patch(id, { remarks: 'x', items: [line(7, 7)] }),
      await operator.put(at(id), body()),
      await operator.post(`${at(id)}items`, { items: [line(1, 1)] }),
      await operator.delete(at(id)),
      await operator.post('/api/sales/import/invoice', invoice),
    ];
    await api.db.execute('drop trigger no_audit on platform.audit_log');
    for (const answer of refused) {
      expectRefused(answer, 500);
      expect(JSON.stringify(answer.body)).not.toContain('secret');
    }
    expect((await invoiceOf(viewer, id)).body).toEqual(before.body);
    expect((await pageOf(viewer, `?invoice_no=${invoice.invoice_no}`)).body.count).toBe(0);
  });
});

it('a viewer reads and changes nothing', async () => {
  const id = await imported(operator);
  expect((await invoiceOf(viewer, id)).status).toBe(200);
  expectRefused(await viewer.patch(at(id), { remarks: 'x' }), 403);
  expectRefused(await viewer.put(at(id), body()), 403);
  expectRefused(await viewer.delete(at(id)), 403);
  expectRefused(await viewer.post(`${at(id)}items`, { items: [line(1, 1)] }), 403);
});
