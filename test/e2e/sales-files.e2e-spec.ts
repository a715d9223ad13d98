import { type TestApi, startApi } from '#testing/app.js';
import type { Client } from '#testing/http-client.js';
import { SseReader } from '#testing/sse-reader.js';
import {
  LIST,
  NDJSON,
  anInvoice,
  importFile,
  imported,
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
/** Nothing of a file stays behind once its session has ended. */
afterEach(async () => {
  expect(await stored(api)).toMatchObject({
    import_file: 0,
    import_chunk: 0,
    import_fragment: 0,
    import_invoice: 0,
  });
});

const HEADER = 'invoice_no,invoice_date,customer.code,items.name,items.item_code,items.quantity,items.mrp';
const csv = (...lines: string[]) => `${[HEADER, ...lines].join('\n')}\n`;
const found = async (number: string) =>
  (await pageOf(operator, `?invoice_no=${encodeURIComponent(number)}`)).body.results[0];

it('the answer says where to follow it', async () => {
  const { status, body } = await upload(operator, csv('UP-1,2026-01-02,C-1,Tea,T,1,1'));
  expect(status).toBe(202);
  const base = `/api/sessions/${body.session_id}`;
  expect(body).toEqual({
    session_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    status: 'initiated',
    stream_url: `${base}/stream`,
    outcomes_url: `${base}/outcomes`,
  });
  const stream = await SseReader.open(api.url + body.stream_url, operator.headers);
  await stream.ended();
  expect(stream.events.at(-1)?.data).toMatchObject({
    session_id: body.session_id,
    state: 'completed',
    progress: 1,
  });
});

describe('CSV', () => {
  it('groups lines by invoice though they are scattered, in the order of the file', async () => {
    const session = await importFile(
      operator,
      csv(
        'S-1,2026-01-02,C-1,a,A,1,1.00',
        'S-2,2026-01-02,C-1,b,B,2,2',
        'S-1,2026-01-03,C-1,c,C,-3,3',
        'S-1,2026-01-02,C-1,a,A,1,1.00',
      ),
    );
    expect(session).toMatchObject({
      state: 'completed',
      total: 2,
      processed: 2,
      created: 2,
      failed: 0,
      progress: 1,
    });
    const first = await found('S-1');
    expect(first?.items.map(({ name, quantity, mrp }) => [name, quantity, mrp])).toEqual([
      ['a', 1, 1],
      ['c', -3, 3],
      ['a', 1, 1],
    ]);
    expect(first?.total_amount).toBe(-7);
    expect(first?.invoice_date).toBe('2026-01-02');
    expect(first?.id).toBeLessThan((await found('S-2'))?.id ?? 0);
  });

  it('takes headers by their own names, in any order, case and nesting', async () => {
    const session = await importFile(
      operator,
      'MRP, Quantity ,Item_Code,name,INVOICE_NO,invoice_date,Customer_Code,customer.name,salesman,items[].remarks,unknown\n' +
        '2.5,4,X1,Thing,H-1,2026-01-02,C-7,Named,Ann,fragile,ignored\n',
    );
    expect(session.state).toBe('completed');
    expect(await found('H-1')).toMatchObject({
      customer: { code: 'C-7', name: 'Named' },
      salesman: { name: 'Ann' },
      items: [{ name: 'Thing', item_code: 'X1', quantity: 4, mrp: 2.5, remarks: 'fragile' }],
    });
  });

  it('takes headers by the map of the caller, and a default customer', async () => {
    const session = await importFile(
      operator,
      'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n' +
        '536365,85123A,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n' +
        '536365,71053,,6,2010-12-01 08:27:00,3.39,17850,United Kingdom\n' +
        '536414,22139, CUP ,56,2010-12-01 11:52:00,0.0,,\n',
      {
        map: {
          invoice_no: 'InvoiceNo',
          item_code: 'StockCode',
          'items[].name': 'Description',
          quantity: 'Quantity',
          invoice_date: 'InvoiceDate',
          'items.mrp': 'UnitPrice',
          customer_code: 'CustomerID',
          'customer.area': 'Country',
        },
        code: 'WALK-IN',
      },
    );
    expect(session).toMatchObject({ state: 'completed', created: 2 });
    expect(await found('536365')).toMatchObject({
      invoice_date: '2010-12-01',
      customer: { code: '17850', area: 'United Kingdom' },
      items: [{ name: 'WHITE HANGING HEART' }, { name: '71053', item_code: '71053' }],
      total_amount: 35.64,
    });
    expect(await found('536414')).toMatchObject({
      customer: { code: 'WALK-IN' },
      items: [{ name: 'CUP', mrp: 0 }],
    });
  });

  it('two timestamps in one invoice: the first counts', async () => {
    await importFile(
      operator,
      csv('TS-1,2026-01-31 23:59:59,C-1,a,A,1,1', 'TS-1,2026-02-01T00:01:00Z,C-1,b,B,1,1'),
    );
    expect((await found('TS-1'))?.invoice_date).toBe('2026-01-31');
  });

  it('keeps quotes, separators and line ends inside of fields, and says lines as an editor does', async () => {
    const session = await importFile(
      operator,
      csv(
        'Q-1,2026-01-02,C-1,"Mug, ""big""\nwith two\r\nline ends",M,1,1',
        'Q-2,2026-01-02,C-1,bad,B,one,1',
        'Q-3,2026-01-02,C-1,ok,O,1,1',
      ),
    );
    expect((await found('Q-1'))?.items[0]?.name).toBe('Mug, "big"\nwith two\r\nline ends');
    expect((await rejected(operator, session.session_id)).map(({ record, line }) => [record, line])).toEqual([
      ['Q-2', 5],
    ]);
    expect(await found('Q-3')).toBeDefined();
  });

  it.each([
    ['CRLF', (text: string) => text.replaceAll('\n', '\r\n')],
    ['a byte order mark', (text: string) => `\uFEFF${text}`],
    [
      'CRLF, a byte order mark and quotes around the first name',
      (text: string) => `\uFEFF"${text.replace(',', '",').replaceAll('\n', '\r\n')}`,
    ],
    ['no line end at its end', (text: string) => text.trimEnd()],
    ['blank lines everywhere', (text: string) => `\n\n${text.replaceAll('\n', '\n\n')}\n  \n`],
    ['a header in CRLF and rows in LF', (text: string) => text.replace('\n', '\r\n')],
    ['the last line end alone different', (text: string) => text.replace(/\n$/, '\r\n')],
    ['rows in CRLF and LF by turns', (text: string) => text.replace('1\nV', '1\r\nV')],
  ])('takes a file with %s', async (what, written) => {
    const number = `V-${what.replace(/\W/g, '-')}`.slice(0, 60);
    const rows = [1, 2, 3].map((n) => `${number}${n},2026-01-02,C-1,Søn,S,1,${n}`);
    const session = await importFile(operator, written(csv(...rows)));
    expect(session).toMatchObject({ state: 'completed', created: 3, failed: 0 });
    expect(await found(`${number}3`)).toMatchObject({ total_amount: 3, items: [{ name: 'Søn' }] });
  });

  it('a stray quote inside of a field is text', async () => {
    const session = await importFile(
      operator,
      csv('SQ-1,2026-01-02,C-1,5" x 3" pipe,P,1,1', 'SQ-2,2026-01-02,C-1,fine,F,1,1'),
    );
    expect(session).toMatchObject({ state: 'completed', created: 2 });
    expect((await found('SQ-1'))?.items[0]?.name).toBe('5" x 3" pipe');
  });

  it('trims stray spaces', async () => {
    await importFile(
      operator,
      csv(' SP-1 ,\t2026-01-02 , C-1 ,  Tea ,  T 1 , 2 , 1.50 ', 'SP-1,2026-01-02,C-1,b,B,1,1'),
    );
    expect(await found('SP-1')).toMatchObject({
      customer: { code: 'C-1' },
      items: [{ name: 'Tea', item_code: 'T 1', quantity: 2 }, {}],
    });
  });

  it('rounds each line half away from zero', async () => {
    await importFile(
      operator,
      csv(
        'R-1,2026-01-02,C-1,a,A,1,0.005',
        'R-1,2026-01-02,C-1,b,B,-1,0.005',
        'R-1,2026-01-02,C-1,c,C,3,0.115',
        'R-1,2026-01-02,C-1,d,D,1,-11062.06',
      ),
    );
    expect((await found('R-1'))?.total_amount).toBe(-11061.71);
  });

  it('does not blank what is known of a customer', async () => {
    await imported(operator, { customer: { code: 'KEEP', name: 'Known', area: 'North' } });
    await importFile(
      operator,
      'invoice_no,invoice_date,customer.code,customer.name,quantity,mrp,name\nKB-1,2026-01-02,KEEP,,1,1,x\n',
    );
    expect((await found('KB-1'))?.customer).toMatchObject({ name: 'Known', area: 'North' });
  });
});

describe('NDJSON', () => {
  it('is a single import a line, checked alike', async () => {
    const good = anInvoice({ salesman: 'Ann', remarks: 'r' });
    const bad = [
      { ...anInvoice({ invoice_no: 'NB-1' }), invoice_date: '2026-02-30' },
      { ...anInvoice({ invoice_no: 'NB-2' }), extra: 1 },
      { ...anInvoice({ invoice_no: 'NB-3' }), customer: {} },
      { ...anInvoice({ invoice_no: 'NB-4' }), customer: [] },
      { ...anInvoice({ invoice_no: 'NB-5' }), items: [[]] },
      { ...anInvoice({ invoice_no: 'NB-6' }), salesman: '  ' },
      { ...anInvoice({ invoice_no: 'NB-7' }), remarks: 'a\ud800' },
    ];
    const lines = [
      ...bad.map((b) => JSON.stringify(b)),
      '{"torn": ',
      '[1]',
      'null',
      `{"invoice_no":"NB-8","remarks":"1234567890123456789","remarks":"b"}`,
      `{"invoice_no":"NB-9","items":[{"mrp":1.2345678901234567}]}`,
      '',
      JSON.stringify(good),
    ];
    const session = await importFile(operator, `${lines.join('\r\n')}\n`, { type: NDJSON });
    expect(session).toMatchObject({ state: 'completed_with_errors', created: 1, failed: 12 });
    const refused = await rejected(operator, session.session_id);
    expect(refused.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(refused.slice(0, 3).map(({ record }) => record)).toEqual(['NB-1', 'NB-2', 'NB-3']);
    expect(refused[0]?.reason).toContain('invoice_date');
    expect(refused[1]?.reason).toContain('extra');
    expect(refused[2]?.reason).toContain('customer.code');
    expect(await found(good.invoice_no)).toMatchObject({ salesman: { name: 'Ann' }, remarks: 'r' });
  });

  it('of one line, with a byte order mark', async () => {
    const invoice = anInvoice();
    const session = await importFile(operator, `\uFEFF${JSON.stringify(invoice)}`, { type: NDJSON });
    expect(session).toMatchObject({ state: 'completed', created: 1 });
  });

  it('a number that comes twice: the first counts, the second is told', async () => {
    const [a, b] = [anInvoice(), anInvoice()];
    const session = await importFile(operator, ndjson(a, b, { ...a, remarks: 'second' }), { type: NDJSON });
    expect(session).toMatchObject({ created: 2, skipped: 1, processed: 3, total: 3 });
    expect(await rejected(operator, session.session_id)).toMatchObject([
      { record: a.invoice_no, line: 3, outcome: 'skipped' },
    ]);
    expect((await found(a.invoice_no))?.remarks).toBeNull();
  });

  it('takes the default customer where none is named', async () => {
    const { customer: _none, ...bare } = anInvoice();
    const blank = { ...anInvoice(), customer: { code: '', name: 'Blank' } };
    const session = await importFile(operator, ndjson(bare, blank), { type: NDJSON, code: 'CASH' });
    expect(session).toMatchObject({ created: 2 });
    expect((await found(bare.invoice_no))?.customer.code).toBe('CASH');
  });
});

it('a file sent again changes nothing: all unchanged', async () => {
  const file = csv(
    'AG-1,2026-01-02,C-1,a,A,1,1',
    'AG-2,2026-01-02,C-1,b,B,2,2',
    'AG-1,2026-01-02,C-1,c,C,3,3',
  );
  const before = await importFile(operator, file);
  const row = await found('AG-1');
  const again = await importFile(operator, file);
  expect(before).toMatchObject({ created: 2, unchanged: 0 });
  expect(again).toMatchObject({ state: 'completed', created: 0, unchanged: 2, processed: 2 });
  expect(await found('AG-1')).toEqual(row);
  expect(
    (
      await importFile(
        operator,
        ndjson(
          anInvoice({
            invoice_no: 'AG-2',
            invoice_date: '2026-01-02',
            customer: { code: 'C-1' },
            items: [{ name: 'b', item_code: 'B', quantity: 2, mrp: 2 }],
          }),
        ),
        { type: NDJSON },
      )
    ).unchanged,
  ).toBe(1);
});

it('invoices that are stored otherwise, or deleted, are told and left alone', async () => {
  await imported(operator, {
    invoice_no: 'OT-1',
    remarks: 'stored',
    customer: { code: 'OTC', name: 'Stored name' },
  });
  const gone = await imported(operator, { invoice_no: 'OT-2' });
  await operator.delete(`${LIST}${gone}`);
  const file = csv(
    'OT-1,2026-01-02,OTC,a,A,1,1',
    'OT-2,2026-01-02,C-1,a,A,1,1',
    'OT-3,2026-01-02,C-1,a,A,1,1',
  ).replace(HEADER, `${HEADER},customer.name`);
  const session = await importFile(operator, file.replace(/(\d)$/gm, '$1,New name'));
  expect(session).toMatchObject({
    state: 'completed_with_errors',
    created: 1,
    conflicts: 1,
    skipped: 1,
    processed: 3,
  });
  expect(
    (await rejected(operator, session.session_id)).map(({ record, line, outcome }) => [
      record,
      line,
      outcome,
    ]),
  ).toEqual([
    ['OT-1', 2, 'conflict'],
    ['OT-2', 3, 'skipped'],
  ]);
  expect(await found('OT-1')).toMatchObject({ remarks: 'stored', customer: { name: 'Stored name' } });
});
