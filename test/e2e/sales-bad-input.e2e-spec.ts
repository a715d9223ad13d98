import { type TestApi, startApi } from '#testing/app.js';
import type { Answer, Client } from '#testing/http-client.js';
import { IMPORT, LIST, anInvoice, expectRefused, imported, stored } from './sales-http.js';

let api: TestApi;
let operator: Client;
let before: Record<string, number>;

beforeAll(async () => {
  api = await startApi();
  operator = await api.client('operator');
  await imported(operator);
});
afterAll(() => api.close());
/** Whatever was refused left nothing. */
beforeEach(async () => (before = await stored(api)));
afterEach(async () => expect(await stored(api)).toEqual(before));

const raw = (body: string, type = 'application/json'): Promise<Answer> =>
  operator.post<Answer['body']>(IMPORT, body, { 'content-type': type });

/** A valid body with the value at a path replaced; undefined removes it. */
function withValue(path: string, value: unknown): object {
  const body = structuredClone({
    ...anInvoice({ salesman: 'Ann', created_by: 'x', remarks: 'y' }),
  }) as object;
  const keys = path.replace(/\[(\d+)\]/g, '.$1').split('.');
  const last = keys.pop() ?? '';
  const parent = keys.reduce<object>((at, key) => (at as Record<string, object>)[key] ?? {}, body);
  if (value === undefined) delete (parent as Record<string, unknown>)[last];
  else (parent as Record<string, unknown>)[last] = value;
  return body;
}

const send = (path: string, value: unknown) => operator.post(IMPORT, withValue(path, value));

describe('not JSON', () => {
  it.each([
    ['text', 'hello'],
    ['half', '{"invoice_no": "A"'],
    ['single quotes', `{'invoice_no': 'A'}`],
    ['a trailing comma', '{"invoice_no": "A",}'],
    ['NaN', JSON.stringify(withValue('items[0].mrp', 1)).replace('"mrp":1', '"mrp":NaN')],
    ['Infinity', JSON.stringify(withValue('items[0].mrp', 1)).replace('"mrp":1', '"mrp":-Infinity')],
  ])('%s', async (_what, body) => {
    const answer = await raw(body);
    expectRefused(answer, 400);
    expect(answer.body.code).toBe('request.not_json');
  });

  it.each(['', 'null', '5', '"text"', '[]', 'true', '[{}]'])('JSON, but no object: %s', async (body) => {
    expectRefused(await raw(body), 400);
  });
});

describe('required fields', () => {
  it.each(['invoice_no', 'invoice_date', 'customer', 'items', 'customer.code', 'items[0].name'])(
    'names %s when it is missing, null or blank',
    async (path) => {
      expectRefused(await send(path, undefined), 400, path);
      expectRefused(await send(path, null), 400, path);
      expectRefused(await send(path, ''), 400, path);
    },
  );
  it.each(['items[0].quantity', 'items[0].mrp'])('names %s', async (path) => {
    for (const value of [
      undefined,
      null,
      '',
      ' ',
      true,
      [],
      {},
      [1],
      '1 000',
      ' 3.50 ',
      '1,5',
      '0x10',
      '1e3',
      '٣',
      'ten',
    ])
      expectRefused(await send(path, value), 400, path);
  });
  it.each(['invoice_no', 'customer.code', 'salesman'])('%s of spaces only is blank', async (path) => {
    expectRefused(await send(path, '   '), 400, path);
  });
  it('an invoice without lines is refused', async () => {
    expectRefused(await send('items', []), 400, 'items');
  });
});

describe('wrong types', () => {
  const texts = ['invoice_no', 'salesman', 'created_by', 'remarks', 'customer.code', 'customer.name'];
  const more = ['customer.area', 'customer.phone1', 'customer.email', 'items[0].name', 'items[0].item_code'];
  it.each([...texts, ...more, 'items[0].shelf_location', 'items[0].remarks'])(
    '%s must be text',
    async (path) => {
      for (const value of [5, true, {}, [], ['a'], { toString: 'x' }])
        expectRefused(await send(path, value), 400, path);
    },
  );
  it('customer must be an object', async () => {
    for (const value of ['C-1', 5, true, [], [{ code: 'C-1' }], [[]]])
      expectRefused(await send('customer', value), 400);
  });
  it('items must be a list of objects', async () => {
    const item = { name: 'Tea', quantity: 1, mrp: 1 };
    for (const value of [
      'x',
      5,
      {},
      item,
      { 0: item, length: 1 },
      [null],
      ['x'],
      [5],
      [[]],
      [[item]],
      [item, null],
    ])
      expectRefused(await send('items', value), 400);
  });
});

describe('unknown fields', () => {
  it.each([
    'id',
    'total_amount',
    'customer.id',
    'customer.vip',
    'items[0].price',
    'items[0].id',
    'createdBy',
  ])('names %s', async (path) => {
    expectRefused(await send(path, 'x'), 400, path);
  });
  it.each(['__proto__', 'constructor', 'prototype'])('is not fooled by %s', async (key) => {
    const text = JSON.stringify(anInvoice());
    expectRefused(await raw(text.replace('{', `{"${key}":{"admin":true},`)), 400);
    expectRefused(await raw(text.replace('"customer":{', `"customer":{"${key}":{"admin":true},`)), 400);
  });
});

describe('money', () => {
  it.each([
    ['quantity beyond its size', 'items[0].quantity', 999999999999],
    ['price beyond its size', 'items[0].mrp', '100000000000'],
    ['five decimals', 'items[0].mrp', 1.23456],
    ['five decimals in text', 'items[0].quantity', '0.00001'],
    ['an overflow', 'items[0].mrp', 1e300],
    ['a number too small to be seen', 'items[0].mrp', 1e-30],
    ['the smallest double', 'items[0].quantity', 5e-324],
  ])('%s', async (_what, path, value) => {
    expectRefused(await send(path, value), 400, path);
  });
  it.each([
    '1234567890123456',
    '1.234567890123456',
    '0.30000000000000004',
    '12345678901.23456',
    '1234567890.1234567',
  ])('a number of more than 15 digits, %s, is refused and named', async (number) => {
    const body = JSON.stringify(withValue('items[0].mrp', 77)).replace('"mrp":77', `"mrp":${number}`);
    expectRefused(await raw(body), 400, 'items[0].mrp');
  });
  it.each(['1e400', '-1e400', '1e-400'])('%s, which no double holds', async (number) => {
    const body = JSON.stringify(withValue('items[0].mrp', 77)).replace('"mrp":77', `"mrp":${number}`);
    expectRefused(await raw(body), 400, 'items[0].mrp');
  });
  it('a total that is too large names items', async () => {
    const line = { name: 'Gold', quantity: '99999999999', mrp: '99999999999' };
    expectRefused(await send('items', [line]), 400, 'items');
    const half = { name: 'Gold', quantity: '1000000', mrp: '6000000' };
    expectRefused(await send('items', [half, half]), 400, 'items');
  });
});

describe('dates that do not exist', () => {
  it.each([
    '2026-02-29',
    '2026-13-01',
    '2026-00-10',
    '2026-04-31',
    '2026-1-2',
    '02/01/2026',
    '2026-01-02T10:00:00Z',
  ])('%s', async (date) => expectRefused(await send('invoice_date', date), 400, 'invoice_date'));
  it.each([
    '20260102',
    '0000-00-00',
    '0026-01-02',
    '1899-12-31',
    '99999-01-01',
    ' 2026-01-02',
    '2026-01-02\n',
    20260102,
  ])('%j', async (date) => expectRefused(await send('invoice_date', date), 400, 'invoice_date'));
});

describe('text', () => {
  it.each<[string, number]>([
    ['invoice_no', 64],
    ['salesman', 120],
    ['created_by', 120],
    ['remarks', 2000],
    ['customer.code', 64],
    ['customer.name', 200],
    ['customer.area', 120],
    ['customer.address1', 200],
    ['customer.address2', 200],
    ['customer.phone1', 40],
    ['customer.phone2', 40],
    ['items[0].name', 300],
    ['items[0].item_code', 64],
    ['items[0].shelf_location', 64],
    ['items[0].remarks', 500],
  ])('%s of more than %i characters', async (path, length) => {
    expectRefused(await send(path, 'x'.repeat(length + 1)), 400, path);
  });
  it.each(['invoice_no', 'customer.name', 'items[0].remarks', 'salesman'])(
    'a NUL character in %s',
    async (path) => {
      expectRefused(await send(path, 'a\0b'), 400, path);
    },
  );
  it.each(['invoice_no', 'customer.name', 'items[0].name', 'remarks'])(
    'half of a surrogate pair in %s, which no text can hold',
    async (path) => {
      expectRefused(await send(path, 'a\ud800b'), 400, path);
      expectRefused(await send(path, '\udc00'), 400, path);
    },
  );
  it('an e-mail address that is none', async () => {
    expectRefused(await send('customer.email', 'nobody'), 400, 'customer.email');
  });
  it('bytes that are not UTF-8', async () => {
    const body = Buffer.from(JSON.stringify(anInvoice()).replace('Tea', 'T\u00e9a'), 'latin1');
    expectRefused(await operator.post(IMPORT, body), 400);
  });
});

describe('shape of the body', () => {
  it.each([33, 5000])('nested %i deep', async (depth) => {
    const deep = '['.repeat(depth) + ']'.repeat(depth);
    expectRefused(await raw(`{"invoice_no":${deep}}`), 400);
    expectRefused(await raw('{"a":'.repeat(depth) + '1' + '}'.repeat(depth)), 400);
  });
  it('a key that is given twice, beside long digits, is refused or read, never an error of ours', async () => {
    const text = JSON.stringify(withValue('items', undefined)).replace(
      '{',
      '{"remarks":"12345678901234567890",',
    );
    expectRefused(await raw(text), 400);
  });
  it('more than 10,000 lines', async () => {
    const item = { name: 'x', quantity: 1, mrp: 1 };
    expectRefused(
      await send(
        'items',
        Array.from({ length: 10_001 }, () => item),
      ),
      400,
      'items',
    );
  });
  it('a body over the limit: 413', async () => {
    const answer = await send('remarks', 'x'.repeat(1024 * 1024));
    expectRefused(answer, 413);
    expect(answer.body.code).toBe('request.too_large');
  });
  it('a body over the limit that does not say its size: 413', async () => {
    const part = new TextEncoder().encode('{"remarks":"' + 'x'.repeat(600_000));
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => (sent++ < 2 ? controller.enqueue(part) : controller.close()),
    });
    const headers = { ...operator.headers, 'content-type': 'application/json' };
    const response = await fetch(api.url + IMPORT, {
      method: 'POST',
      headers,
      body,
      duplex: 'half',
    });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ code: 'request.too_large', status_code: 413 });
  });
});

describe('unsupported content types: 415', () => {
  const types = [
    'text/plain',
    'application/xml',
    'text/html',
    'multipart/form-data; boundary=x',
    'image/png',
  ];
  it.each([...types, 'application/x-www-form-urlencoded', 'nonsense'])('%s', async (type) => {
    const answer = await raw(JSON.stringify(anInvoice()), type);
    expectRefused(answer, 415);
    expect(answer.body.code).toBe('request.unsupported_type');
  });
  it('none at all', async () => {
    const body = new TextEncoder().encode(JSON.stringify(anInvoice()));
    const response = await fetch(api.url + IMPORT, { method: 'POST', headers: operator.headers, body });
    expect(response.status).toBe(415);
  });
  it.each(['application/json; charset=utf-8', 'APPLICATION/JSON', 'application/vnd.shop+json'])(
    '%s is JSON, so only the content counts',
    async (type) => expectRefused(await raw('{}', type), 400, 'invoice_no'),
  );
});

it('names every wrong field at once, with its place', async () => {
  const body = {
    ...anInvoice(),
    invoice_date: 'x',
    extra: 1,
    items: [{ name: 'a', quantity: 1, mrp: 1 }, { name: '' }],
  };
  const answer = await operator.post(IMPORT, body);
  expectRefused(answer, 400, 'invoice_date', 'extra', 'items[1].name', 'items[1].quantity', 'items[1].mrp');
  expect(answer.body.code).toBe('request.invalid');
  expect(answer.body.message).toBe('Validation failed');
  expect(answer.body.detail).toContain('items[1].quantity');
});

it('a viewer may not import, nobody may without signing in', async () => {
  expectRefused(await (await api.client('viewer')).post(IMPORT, anInvoice()), 403);
  const headers = { 'content-type': 'application/json' };
  const anonymous = await fetch(api.url + IMPORT, { method: 'POST', headers, body: '{}' });
  expect(anonymous.status).toBe(401);
  expect(anonymous.headers.get('www-authenticate')).toBe('Bearer');
});

it.each(['0', '-1', 'abc', '1.5', '01', '99999999999999999999', '1%00', '1e3'])(
  'the invoice id %s is refused or unknown',
  async (id) => {
    const answer = await operator.get(`${LIST}${id}/`);
    expect([400, 404]).toContain(answer.status);
    expect((await operator.delete(`${LIST}${id}/`)).status).toBe(answer.status);
  },
);
