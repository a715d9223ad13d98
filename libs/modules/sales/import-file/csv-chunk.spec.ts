import { stringify } from 'csv-stringify/sync';
import fc from 'fast-check';
import { findColumns } from './columns.js';
import { csvInvoiceNumbers, csvRecords, parseCsvChunk } from './csv-chunk.js';

const HEADER = [
  'invoice_no',
  'invoice_date',
  'customer.code',
  'items.name',
  'items.item_code',
  'items.quantity',
  'items.mrp',
];
const read = (text: string, firstLine = 2, defaultCustomerCode: string | null = null) =>
  parseCsvChunk(text, firstLine, {
    columns: findColumns(HEADER, new Map(), false),
    width: HEADER.length,
    defaultCustomerCode,
  });

it('reads back whatever a writer of CSV wrote, with the line each record begins on', () => {
  const rows = fc.array(fc.array(fc.string(), { minLength: 2, maxLength: 4 }), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(rows, fc.constantFrom('\n' as const, '\r\n' as const), (written, record_delimiter) => {
      const records = csvRecords(stringify(written, { record_delimiter, quoted: true }), 10);
      expect(records.map(({ fields }) => fields)).toEqual(written);
      let line = 10;
      for (const [index, fields] of written.entries()) {
        expect(records[index]?.line).toBe(line);
        line += fields.join('').split('\n').length;
      }
    }),
    { numRuns: 500 },
  );
});

it('gathers the lines of an invoice, and keeps what the first says', () => {
  const { fragments, refused } = read(
    'A,2026-01-31 23:59,C-1,Tea,T,2,1.50\nB,2026-01-01,C-1,x,,1,1\nA,2026-02-01,C-1,,T2,-1,0\n',
  );
  expect(refused).toEqual([]);
  expect(fragments).toMatchObject([
    {
      invoice_no: 'A',
      first_line: 2,
      lines: [2, 4],
      invoice_date: '2026-01-31',
      names: ['Tea', 'T2'],
      quantities: ['2', '-1'],
      mrps: ['1.5', '0'],
    },
    { invoice_no: 'B', first_line: 3, lines: [3] },
  ]);
});

it('marks the invoice of a line that must be refused, and counts lines of no invoice', () => {
  const { fragments, refused, strays } = read(
    'A,2026-01-01,C-1,x,,1,1\nA,2026-01-01,C-1,x,,one,1\n,2026-01-01,C-1,x,,1,1\n',
  );
  expect(fragments).toMatchObject([{ invoice_no: 'A', bad_line: 3, lines: [2] }]);
  expect(refused.map(({ record, line }) => [record, line])).toEqual([
    ['A', 3],
    [null, 4],
  ]);
  expect(strays).toBe(1);
});

it.each<[string, RegExp]>([
  ['A,2026-02-30,C-1,x,,1,1', /invoice_date "2026-02-30"/],
  ['A,,C-1,x,,1,1', /invoice_date ""/],
  ['A,2026-01-01T25:00,C-1,x,,1', /6 fields, the header has 7/],
  ['A,2026-01-01,,x,,1,1', /customer.code is blank/],
  ['A,2026-01-01,C-1,,,1,1', /items.name and items.item_code are blank/],
  ['A,2026-01-01,C-1,x,,,1', /items.quantity/],
  ['A,2026-01-01,C-1,x,,1,1.00001', /items.mrp must have at most 4 decimals/],
  ['A,2026-01-01,C-1,x,,99999999999,99999999999', /too large/],
])('%s is refused in words: %s', (line, why) => {
  expect(read(`${line}\n`).refused).toMatchObject([{ line: 2, reason: expect.stringMatching(why) }]);
});

it('a text that is too long is refused', () => {
  expect(read(`A,2026-01-01,C-1,${'x'.repeat(301)},,1,1\n`).refused[0]?.reason).toMatch(
    /items.name is longer than 300/,
  );
  expect(read(`${'A'.repeat(65)},2026-01-01,C-1,x,,1,1\n`)).toMatchObject({ strays: 1, fragments: [] });
});

it('whatever stands in a line, it is taken or refused, never an error of ours', () => {
  const line = fc.array(
    fc.oneof(fc.string(), fc.constantFrom('A', '2026-01-01', '1', '-5', '1e400', '"', '""', '0.1')),
    { minLength: 5, maxLength: 9 },
  );
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 5 }), (rows) => {
      const text = rows.map((fields) => fields.join(',')).join('\n');
      const { fragments, refused } = read(text);
      const taken = fragments.reduce((sum, fragment) => sum + fragment.lines.length, 0);
      expect(taken + refused.length).toBe(csvRecords(text, 2).length);
      // A number that the survey of the file overlooked would let its invoice be stored in part.
      const numbers = csvInvoiceNumbers(text, findColumns(HEADER, new Map(), false));
      for (const fragment of fragments) expect(numbers).toContain(fragment.invoice_no);
      for (const fragment of fragments)
        expect(fragment.lines.length > 0 || fragment.bad_line !== null).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

it('the default customer stands in for a blank one only', () => {
  const { fragments } = read('A,2026-01-01,,x,,1,1\nB,2026-01-01,C-9,x,,1,1\n', 2, 'CASH');
  expect(fragments.map(({ customer_code }) => customer_code)).toEqual(['CASH', 'C-9']);
});
