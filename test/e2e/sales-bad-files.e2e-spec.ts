import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { type TestApi, startApi } from '#testing/app.js';
import type { Client } from '#testing/http-client.js';
import {
  FILES,
  NDJSON,
  anInvoice,
  expectRefused,
  importFile,
  ndjson,
  pageOf,
  rejected,
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

/** An upload whose body comes in parts, on a connection of its own unless an agent is given. */
function raw(
  headers: Record<string, string | number>,
  parts: string[],
  agent?: Agent,
): Promise<{ status: number; code: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(api.url + FILES, {
      method: 'POST',
      agent: agent ?? false,
      headers: { ...operator.headers, 'content-type': 'text/csv', ...headers },
    });
    const timer = setTimeout(() => reject(new Error('no answer')), 5000);
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      clearTimeout(timer);
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => {
        const { code } = JSON.parse(text) as { code: string };
        resolve({ status: response.statusCode ?? 0, code });
        if (!agent) outgoing.destroy();
      });
    });
    Readable.from(parts).pipe(outgoing);
  });
}

const MIB = 1024 * 1024;
const HEADER = 'invoice_no,invoice_date,customer.code,items.name,items.quantity,items.mrp';
const csv = (...lines: string[]) => `${[HEADER, ...lines].join('\n')}\n`;
const ROW = 'B-1,2026-01-02,C-1,Tea,1,1';

describe('a file that cannot be right is refused whole, and leaves nothing', () => {
  let before: Record<string, number>;
  beforeEach(async () => (before = await stored(api)));
  afterEach(async () => expect(await stored(api)).toEqual(before));

  it.each<[string, string | Uint8Array]>([
    ['nothing', ''],
    ['blank lines', '\n\n  \n'],
    ['a byte order mark', '\uFEFF'],
    ['a header alone', HEADER],
    ['a header and blank lines', `${HEADER}\n\n\n`],
    ['a torn last line', `${csv(ROW)}B-2,2026-01-02,C-1,Te`],
    ['a last line torn inside of quotes', `${csv(ROW)}B-2,2026-01-02,C-1,"Te`],
    ['a quote that is never closed', csv('B-1,2026-01-02,C-1,"Tea,1,1', 'B-2,2026-01-02,C-1,Tea,1,1')],
    ['UTF-16 with a mark', Buffer.from(`\uFEFF${csv(ROW)}`, 'utf16le')],
    ['UTF-16 without a mark', Buffer.from(csv(ROW), 'utf16le')],
    ['latin1', Buffer.from(csv('B-1,2026-01-02,C-1,S\u00f8n,1,1'), 'latin1')],
    ['latin1 at its very end', Buffer.from(`${csv(ROW)}B-2,2026-01-02,C-1,S\u00f8`, 'latin1')],
    ['a NUL character', csv('B-1,2026-01-02,C-1,T\0ea,1,1')],
    ['carriage returns only, as old Macs wrote', csv(ROW).replaceAll('\n', '\r')],
    ['an image', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')],
    ['10,000 columns', `${HEADER},${Array.from({ length: 10_000 }, (_, i) => `c${i}`).join(',')}\n${ROW}\n`],
  ])('%s', async (_what, content) => {
    const answer = await upload(operator, content);
    expectRefused(answer, 400);
    expect(answer.body.code).toMatch(/^sales\.file_/);
  });

  it.each<[string, string]>([
    ['invoice_no', 'invoice_date,customer.code,items.name,items.quantity,items.mrp'],
    ['invoice_date', 'invoice_no,customer.code,items.name,items.quantity,items.mrp'],
    ['customer.code', 'invoice_no,invoice_date,items.name,items.quantity,items.mrp'],
    ['items.name', 'invoice_no,invoice_date,customer.code,items.quantity,items.mrp'],
    ['items.quantity', 'invoice_no,invoice_date,customer.code,items.name,items.mrp'],
    ['items.mrp', 'invoice_no,invoice_date,customer.code,items.name,items.quantity'],
  ])('a header without %s names it', async (field, header) => {
    expectRefused(await upload(operator, `${header}\n1,2,3,4,5\n`), 400, field);
  });

  it('a missing header names all that is missing', async () => {
    expectRefused(
      await upload(operator, `${ROW}\n${ROW}\n`),
      400,
      'invoice_no',
      'invoice_date',
      'items.quantity',
      'items.mrp',
    );
  });

  it('a column that stands twice', async () => {
    expectRefused(await upload(operator, `${HEADER},items.mrp\n${ROW},2\n`), 400, 'items.mrp');
  });

  it('a map to a header that is not there names the field', async () => {
    expectRefused(
      await upload(operator, csv(ROW), { map: { invoice_no: 'Invoice' } }),
      400,
      'map.invoice_no',
    );
    expectRefused(
      await upload(operator, csv(ROW), { map: { 'customer.name': 'Nom' } }),
      400,
      'map.customer.name',
    );
  });

  it.each<[string, string]>([
    ['map', 'nonsense'],
    ['map', '[]'],
    ['map', '"x"'],
    ['map', 'null'],
    ['map.colour', '{"colour":"c"}'],
    ['map.mrp', '{"mrp":5}'],
    ['map.mrp', '{"mrp":""}'],
    ['map.price', '{"price":"items.mrp"}'],
    ['map.items.mrp', '{"mrp":"items.mrp","items.mrp":"items.quantity"}'],
  ])('names %s for ?map=%s', async (field, map) => {
    const answer = await operator.post(`${FILES}?map=${encodeURIComponent(map)}`, csv(ROW), {
      'content-type': 'text/csv',
    });
    expectRefused(answer, 400, field);
  });

  it.each<[string, string]>([
    ['default_customer_code', '?default_customer_code='],
    ['default_customer_code', `?default_customer_code=${'x'.repeat(65)}`],
    ['default_customer_code', '?default_customer_code=a%00b'],
    ['mapping', '?mapping={}'],
  ])('names %s for %s', async (field, query) => {
    expectRefused(await operator.post(FILES + query, csv(ROW), { 'content-type': 'text/csv' }), 400, field);
  });

  it.each<[string, string | Uint8Array]>([
    ['nothing', ''],
    ['blank lines', '\n\n'],
    ['a torn last line', `${ndjson(anInvoice())}{"invoice_no": "T`],
    ['latin1', Buffer.from(ndjson(anInvoice({ remarks: 'S\u00f8n' })), 'latin1')],
    ['UTF-16', Buffer.from(ndjson(anInvoice()), 'utf16le')],
    ['an array over many lines', JSON.stringify([anInvoice(), anInvoice()], null, 2)],
  ])('NDJSON: %s', async (_what, content) => {
    const answer = await upload(operator, content, { type: NDJSON });
    expectRefused(answer, 400, 'file');
    expect(answer.body.code).toMatch(/^sales\.file_/);
  });

  it.each([
    'application/json',
    'text/plain',
    'application/gzip',
    'multipart/form-data; boundary=x',
    'application/octet-stream',
  ])('as %s: 415', async (type) => {
    const content = type === 'application/json' ? JSON.stringify(anInvoice()) : csv(ROW);
    const answer = await upload(operator, content, { type });
    expectRefused(answer, 415);
    expect(answer.body.code).toBe('request.unsupported_type');
  });

  it('over 64 MB by what it says: 413 at once', async () => {
    const answer = await raw({ 'content-length': 64 * 1024 * 1024 + 1 }, [`${HEADER}\n`]);
    expect(answer).toMatchObject({ status: 413, code: 'request.too_large' });
  });

  it('over 64 MB by what comes: 413, and nothing kept', async () => {
    const part = `${ROW}\n`.repeat(40_000);
    const parts = [`${HEADER}\n`, ...Array.from({ length: Math.ceil((66 * MIB) / part.length) }, () => part)];
    expect(await raw({}, parts)).toMatchObject({ status: 413, code: 'request.too_large' });
  });

  it('one line without end: refused long before it ends', async () => {
    const parts = [`${HEADER}\n`, ...Array.from({ length: 40 }, () => 'x'.repeat(MIB))];
    expect(await raw({}, parts)).toMatchObject({ status: 400, code: 'sales.file_endless_record' });
  });

  it('the connection of a refused upload is closed or goes on, it does not hang', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const parts = [`${HEADER}\n`, ...Array.from({ length: 12 }, () => 'x'.repeat(MIB))];
    expect((await raw({}, parts, agent)).status).toBe(400);
    const next = await raw({ 'content-type': 'text/csv' }, ['a,b\n1,2\n'], agent).catch(
      (error: unknown) => error,
    );
    agent.destroy();
    expect(next).not.toMatchObject({ message: 'no answer' });
  });

  it('an upload that breaks off leaves nothing', async () => {
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    socket.write(
      `POST ${FILES} HTTP/1.1\r\nHost: x\r\nAuthorization: ${operator.headers.authorization}\r\n` +
        `Content-Type: text/csv\r\nContent-Length: 5000000\r\n\r\n${HEADER}\n${`${ROW}\n`.repeat(40_000)}`,
    );
    for (let chunks = 0; chunks === 0;) chunks = (await stored(api)).import_chunk ?? 0;
    socket.destroy();
    for (let left = 1; left > 0;) left = (await stored(api)).import_file ?? 0;
  });

  it('a default customer of spaces', async () => {
    expectRefused(await upload(operator, csv(ROW), { code: '  ' }), 400, 'default_customer_code');
  });

  it('a viewer may not', async () => {
    expectRefused(await upload(await api.client('viewer'), csv(ROW)), 403);
  });
});

describe('bad lines', () => {
  it('refuse their whole invoice, but nothing else of the file', async () => {
    const session = await importFile(
      operator,
      csv(
        'L-1,2026-01-02,C-1,good,1,1',
        'L-2,2026-01-02,C-1,good,1,1',
        'L-1,2026-01-02,C-1,bad,many,1',
        'L-3,2026-02-30,C-1,bad date,1,1',
        ',2026-01-02,C-1,no number,1,1',
        `${'x'.repeat(65)},2026-01-02,C-1,long number,1,1`,
        'L-4,2026-01-02,,no customer,1,1',
        'L-5,2026-01-02,C-1,,1,1',
        'L-6,2026-01-02,C-1,price,1,1.23456',
        'L-7,2026-01-02,C-1,huge,99999999999,99999999999',
        'L-8,2026-01-02,C-1,too few,1',
        'L-9,2026-01-02,C-1,too,many,1,1',
        `L-10,2026-01-02,C-1,${'n'.repeat(301)},1,1`,
        'L-11,2026-01-02,C-1,a,1,1',
        'L-11,2026-01-02,C-2,another customer,1,1',
        'L-12,2026-01-02,C-1,good,1,1',
      ),
    );
    expect(session).toMatchObject({
      state: 'completed_with_errors',
      created: 2,
      failed: 12,
      processed: 14,
      total: 14,
    });
    const { body } = await pageOf(operator, '?q=L-');
    expect(body.results.map((row) => row.invoice_no)).toEqual(['L-12', 'L-2']);
    const rows = await rejected(operator, session.session_id);
    const byLine = new Map(rows.map((row) => [row.line, row]));
    expect([...byLine.keys()].sort((a, b) => Number(a) - Number(b))).toEqual([
      2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
    ]);
    expect(rows).toHaveLength(14);
    expect(byLine.get(2)).toMatchObject({
      record: 'L-1',
      outcome: 'failed',
      reason: expect.stringContaining('line 4'),
    });
    expect(byLine.get(4)).toMatchObject({ record: 'L-1', reason: expect.stringContaining('items.quantity') });
    expect(byLine.get(5)?.reason).toContain('2026-02-30');
    expect(byLine.get(6)).toMatchObject({ record: null, reason: expect.stringContaining('invoice_no') });
    expect(byLine.get(8)?.reason).toContain('customer.code');
    expect(byLine.get(10)?.reason).toContain('4 decimals');
    expect(byLine.get(12)?.reason).toContain('5 fields');
    expect(byLine.get(16)).toMatchObject({ record: 'L-11', reason: expect.stringContaining('C-2') });
  });

  it('name an invoice whose customers differ far apart in the file', async () => {
    const filler = Array.from(
      { length: 9000 },
      (_, i) => `FAR-${i},2026-01-02,C-1,${'filler '.repeat(8)},1,1`,
    );
    const session = await importFile(
      operator,
      csv('FAR-X,2026-01-02,C-1,a,1,1', ...filler, 'FAR-X,2026-01-02,C-9,b,1,1'),
    );
    expect(session).toMatchObject({ created: 9000, failed: 1 });
    expect((await rejected(operator, session.session_id)).map(({ record, line }) => [record, line])).toEqual([
      ['FAR-X', 2],
      ['FAR-X', 9003],
    ]);
  });

  it('a total that is too large refuses its invoice alone', async () => {
    const half = '10000000,700000';
    const session = await importFile(
      operator,
      csv(`BIG-1,2026-01-02,C-1,a,${half}`, `BIG-1,2026-01-02,C-1,b,${half}`, 'BIG-2,2026-01-02,C-1,c,1,1'),
    );
    expect(session).toMatchObject({ created: 1, failed: 1 });
    expect(await rejected(operator, session.session_id)).toMatchObject([{ record: 'BIG-1', line: 2 }]);
  });

  describe('the list of what was refused', () => {
    let outcomes: string;
    beforeAll(async () => {
      const session = await importFile(
        operator,
        csv(
          '=cmd|calc,2026-01-02,C-1,a,one,1',
          '"+1,5 ""x""",2026-01-02,C-1,a,two,1',
          '@sum,nodate,C-1,a,1,1',
          'OK-1,2026-01-02,C-1,a,1,1',
        ),
      );
      outcomes = `/api/sessions/${session.session_id}/outcomes`;
    });

    it('comes as JSON by pages', async () => {
      const seen: unknown[] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const page: {
          body: { data: { line: number }[]; page: { next_cursor: string | null; limit: number } };
        } = await operator.get(`${outcomes}?outcome=rejected&limit=2${cursor && `&cursor=${cursor}`}`);
        expect(page.body.page.limit).toBe(2);
        seen.push(...page.body.data.map(({ line }) => line));
        cursor = page.body.page.next_cursor;
      }
      expect(seen).toEqual([2, 3, 4]);
      const all = await operator.get<{ data: object[] }>(outcomes);
      expect(all.body.data).toHaveLength(4);
      expect((await operator.get<{ data: object[] }>(`${outcomes}?outcome=created`)).body.data).toMatchObject(
        [{ record: 'OK-1', line: 5 }],
      );
    });

    it('comes as CSV for a spreadsheet, which runs none of it', async () => {
      const { status, headers, body } = await operator.get<string>(`${outcomes}?outcome=rejected&format=csv`);
      expect(status).toBe(200);
      expect(headers.get('content-type')).toMatch(/^text\/csv/);
      expect(headers.get('content-disposition')).toMatch(/^attachment; filename="outcomes-[0-9a-f-]+\.csv"$/);
      const [head, ...lines] = body.trim().split('\n');
      expect(head).toBe('line,record,outcome,reason,entity,created_at');
      expect(lines).toHaveLength(3);
      expect(lines[0]).toMatch(/^2,'=cmd\|calc,failed,items\.quantity/);
      expect(lines[1]).toMatch(/^3,"'\+1,5 ""x""",failed/);
      expect(lines[2]).toMatch(/^4,'@sum,failed/);
    });

    it('comes as NDJSON for programs', async () => {
      const url = `${api.url}${outcomes}?outcome=rejected&format=ndjson`;
      const answer = await fetch(url, { headers: operator.headers });
      expect(answer.headers.get('content-type')).toMatch(/^application\/x-ndjson/);
      const rows = (await answer.text())
        .trim()
        .split('\n')
        .map((row) => JSON.parse(row) as { line: number; record: string });
      expect(rows.map(({ line, record }) => [line, record])).toEqual([
        [2, '=cmd|calc'],
        [3, '+1,5 "x"'],
        [4, '@sum'],
      ]);
    });

    it('refuses what it does not know', async () => {
      expectRefused(await operator.get(`${outcomes}?outcome=bad`), 400, 'outcome');
      expectRefused(await operator.get(`${outcomes}?format=xml`), 400, 'format');
      expectRefused(await operator.get(`${outcomes}?cursor=x`), 400, 'cursor');
    });
  });
});
