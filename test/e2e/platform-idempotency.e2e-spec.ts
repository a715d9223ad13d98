import type { ImportFileAnswer } from '#modules/sales/import-file/import-file.command.js';
import type { ImportAnswer } from '#modules/sales/import-invoice/import-invoice.command.js';
import type { InvoiceView } from '#modules/sales/invoice.dto.js';
import { type TestApi, startApi } from '#testing/app.js';
import type { Client } from '#testing/http-client.js';
import {
  IMPORT,
  LIST,
  NDJSON,
  anInvoice,
  ended,
  expectRefused,
  imported,
  ndjson,
  otherProgram,
  pageOf,
  stored,
  upload,
} from './sales-http.js';

let api: TestApi;
let operator: Client;

beforeAll(async () => {
  api = await startApi({ worker: true });
  operator = await api.client('operator');
});
afterAll(() => api.close());

let count = 0;
const newKey = () => `key-${++count}`;
const send = (invoice: object, key: string, client = operator, path = IMPORT) =>
  client.post<ImportAnswer>(path, invoice, { 'idempotency-key': key });
const addLine = (id: number, key: string, quantity = 1) =>
  operator.post<InvoiceView>(
    `${LIST}${id}/items`,
    { items: [{ name: 'x', quantity, mrp: 1 }] },
    { 'idempotency-key': key },
  );

describe('the same key and body again', () => {
  it('is answered with the first answer, and nothing happens', async () => {
    const id = await imported(operator);
    const key = newKey();
    const first = await addLine(id, key);
    const again = await addLine(id, key);
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.body).toEqual(first.body);
    expect((await operator.get<InvoiceView>(`${LIST}${id}`)).body.items).toHaveLength(2);
  });

  it('is answered as it was then, though things have changed since', async () => {
    const invoice = anInvoice();
    const key = newKey();
    const first = await send(invoice, key);
    await operator.delete(`${LIST}${first.body.data.id}`);
    const again = await send(invoice, key);
    expect(again).toMatchObject({ status: 201, body: first.body });
  });

  it('comes with the headers of the first answer', async () => {
    const id = await imported(operator);
    const key = newKey();
    expect((await addLine(id, key)).headers.get('etag')).toBe('"2"');
    expect((await addLine(id, key)).headers.get('etag')).toBe('"2"');
  });

  it('is told whatever the trailing slash', async () => {
    const invoice = anInvoice();
    const key = newKey();
    const first = await send(invoice, key);
    expect(await send(invoice, key, operator, IMPORT.slice(0, -1))).toMatchObject({
      status: 201,
      body: first.body,
    });
  });

  it('from twenty at once has one effect; whoever comes meanwhile is told to wait', async () => {
    const id = await imported(operator);
    const key = newKey();
    const answers = await Promise.all(Array.from({ length: 20 }, () => addLine(id, key)));
    expect((await operator.get<InvoiceView>(`${LIST}${id}`)).body.items).toHaveLength(2);
    expect(answers.filter((a) => a.status === 201).length).toBeGreaterThan(0);
    for (const answer of answers.filter((a) => a.status !== 201)) {
      expect(answer).toMatchObject({ status: 409, body: { code: 'idempotency.in_flight' } });
      expect(answer.headers.get('retry-after')).toBe('1');
    }
    expect((await addLine(id, key)).status).toBe(201);
  });
});

it('while the first is in flight the second is 409', async () => {
  const id = await imported(operator);
  const other = await otherProgram(api);
  await other.query('begin');
  await other.query('select from sales.invoice where id = $1 for update', [id]);
  const key = newKey();
  const first = addLine(id, key);
  const held = `select 1 from pg_locks where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())`;
  while (!(await api.db.first(`${held} and classid <> 0`)));
  const second = await addLine(id, key);
  expectRefused(second, 409);
  expect(second.body.code).toBe('idempotency.in_flight');
  await other.query('commit');
  await other.end();
  expect((await first).status).toBe(201);
  expect((await addLine(id, key)).status).toBe(201);
  expect((await operator.get<InvoiceView>(`${LIST}${id}`)).body.items).toHaveLength(2);
});

describe('the same key for something else is 422', () => {
  it('another body', async () => {
    const key = newKey();
    await send(anInvoice(), key);
    const answer = await send(anInvoice(), key);
    expectRefused(answer, 422);
    expect(answer.body.code).toBe('idempotency.key_reused');
  });

  it('another route', async () => {
    const [a, b] = [await imported(operator), await imported(operator)];
    const key = newKey();
    await addLine(a, key);
    expectRefused(await addLine(b, key), 422);
    expectRefused(await send(anInvoice(), key), 422);
  });
});

describe('a key', () => {
  it('of another identity is another key', async () => {
    const key = newKey();
    const admin = await api.client('admin');
    const first = await send(anInvoice(), key);
    const second = await send(anInvoice(), key, admin);
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body.data.id).not.toBe(first.body.data.id);
  });

  it('is used up by success only', async () => {
    const key = newKey();
    expectRefused(await send({ ...anInvoice(), items: [] }, key), 400);
    const taken = anInvoice();
    await operator.post(IMPORT, taken);
    expectRefused(await send({ ...taken, remarks: 'other' }, key), 409);
    const viewer = await api.client('viewer');
    expectRefused(await send(anInvoice(), key, viewer), 403);
    expect((await send(anInvoice(), key)).status).toBe(201);
  });

  it('lives for 24 hours', async () => {
    const key = newKey();
    const id = await imported(operator);
    await addLine(id, key);
    await api.db.execute(`update platform.clock set moved_by = '23 hours 59 minutes'`);
    await addLine(id, key);
    expect((await operator.get<InvoiceView>(`${LIST}${id}`)).body.items).toHaveLength(2);
    await api.db.execute(`update platform.clock set moved_by = '24 hours 1 minute'`);
    await addLine(id, key);
    await api.db.execute(`update platform.clock set moved_by = '0'`);
    expect((await operator.get<InvoiceView>(`${LIST}${id}`)).body.items).toHaveLength(3);
  });

  it('has 1 to 200 characters', async () => {
    expectRefused(await send(anInvoice(), 'x'.repeat(201)), 400, 'Idempotency-Key');
    expect((await send(anInvoice(), 'x'.repeat(200))).status).toBe(201);
    expectRefused(await send(anInvoice(), ''), 400, 'Idempotency-Key');
  });

  it('leaves its answer encrypted', async () => {
    const key = newKey();
    const invoice = anInvoice({ invoice_no: 'HIDDEN-77' });
    await send(invoice, key);
    const row = await api.db.first<{ body: string }>(
      'select body from platform.idempotency_answer where key = $1',
      [key],
    );
    expect(row?.body).toMatch(/^v1\.t1\./);
    expect(row?.body).not.toContain('HIDDEN');
  });
});

describe('a file', () => {
  const file = () => ndjson(anInvoice(), anInvoice());
  const post = (content: string, key: string, code?: string) =>
    upload(operator, content, { type: NDJSON, headers: { 'idempotency-key': key }, ...(code && { code }) });
  const sessions = async () => (await stored(api)).session ?? 0;

  it('sent twice with one key is one session, and is not kept twice', async () => {
    const [content, key, before] = [file(), newKey(), await sessions()];
    const first = await post(content, key);
    const again = await post(content, key);
    expect([first.status, again.status]).toEqual([202, 202]);
    expect(again.body).toEqual(first.body);
    await ended(operator, first.body.session_id);
    expect(await post(content, key)).toMatchObject({ status: 202, body: first.body });
    expect(await sessions()).toBe(before + 1);
    expect(await stored(api)).toMatchObject({ import_file: 0, import_chunk: 0 });
  });

  it('at once from five clients is one session', async () => {
    const [content, key, before] = [file(), newKey(), await sessions()];
    const answers = await Promise.all(Array.from({ length: 5 }, () => post(content, key)));
    const taken = answers.filter((a) => a.status === 202);
    expect(new Set(taken.map((a) => a.body.session_id)).size).toBe(1);
    expect(answers.every((a) => a.status === 202 || a.status === 409)).toBe(true);
    await ended(operator, taken[0]?.body.session_id ?? '');
    expect(await sessions()).toBe(before + 1);
    expect((await stored(api)).import_file).toBe(0);
  });

  it('other content, or the same read otherwise, is 422', async () => {
    const [content, key] = [file(), newKey()];
    const { body } = await post(content, key);
    await ended(operator, (body satisfies ImportFileAnswer).session_id);
    expectRefused(await post(file(), key), 422);
    expectRefused(await post(content, key, 'OTHER'), 422);
    expect((await stored(api)).import_file).toBe(0);
  });

  it('that was refused leaves its key free', async () => {
    const key = newKey();
    expectRefused(await post('{"torn', key), 400);
    const { status, body } = await post(file(), key);
    expect(status).toBe(202);
    await ended(operator, body.session_id);
  });
});

it('without a key the same number is still stored once', async () => {
  const invoice = anInvoice();
  await operator.post(IMPORT, invoice);
  await operator.post(IMPORT, invoice);
  expect((await pageOf(operator, `?invoice_no=${invoice.invoice_no}`)).body.count).toBe(1);
});
