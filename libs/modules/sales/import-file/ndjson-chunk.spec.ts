import fc from 'fast-check';
import { ndjsonInvoiceNumbers, parseNdjsonChunk } from './ndjson-chunk.js';

const invoice = {
  invoice_no: 'A-1',
  invoice_date: '2026-01-02',
  customer: { code: 'C-1' },
  items: [{ name: 'Tea', quantity: 1, mrp: 2 }],
};
const line = (changes: object) => JSON.stringify({ ...invoice, ...changes });

it('makes a fragment of each good line, and names each bad one', () => {
  const text = [
    line({}),
    '',
    line({ invoice_no: ' A-2 ' }),
    'nonsense',
    line({ items: [] }),
    line({ invoice_no: 'A-3' }),
  ].join('\n');
  const { fragments, refused, strays } = parseNdjsonChunk(text, 10, null);
  expect(fragments.map(({ invoice_no, first_line }) => [invoice_no, first_line])).toEqual([
    ['A-1', 10],
    ['A-2', 12],
    ['A-3', 15],
  ]);
  expect(refused.map(({ record, line: at }) => [record, at])).toEqual([
    [null, 13],
    ['A-1', 14],
  ]);
  expect(strays).toBe(2);
});

it('whatever stands in a line, it is taken or refused, never an error of ours; and the survey sees its number', () => {
  const values = fc.oneof(
    fc.jsonValue(),
    fc.string(),
    fc.constantFrom('A-1', ' A-2 ', '\ud800', '\u0000', 1e400, []),
  );
  const some = fc.record(
    { invoice_no: values, invoice_date: values, customer: values, items: values, extra: values },
    { requiredKeys: [] },
  );
  const row = fc.oneof(
    fc.string().map((text) => text.replaceAll('\n', ' ')),
    some.map((changes) => line(changes)),
    some.map(({ invoice_no }) => line(invoice_no === undefined ? {} : { invoice_no })),
  );
  fc.assert(
    fc.property(fc.array(row, { maxLength: 5 }), (rows) => {
      const text = rows.join('\n');
      const { fragments, refused } = parseNdjsonChunk(text, 1, null);
      expect(fragments.length + refused.length).toBe(rows.filter((each) => each.trim() !== '').length);
      const numbers = ndjsonInvoiceNumbers(text);
      for (const fragment of fragments) expect(numbers).toContain(fragment.invoice_no);
    }),
    { numRuns: 1000 },
  );
});

it('the default customer stands in for one that is missing or blank, not for one that is wrong', () => {
  const rows = [
    { customer: undefined },
    { customer: null },
    { customer: {} },
    { customer: { code: '' } },
    { customer: { code: 'C-9' } },
    { customer: 'C-9' },
    { customer: [] },
  ];
  const { fragments, refused } = parseNdjsonChunk(
    rows.map((row, i) => line({ ...row, invoice_no: `D-${i}` })).join('\n'),
    1,
    'CASH',
  );
  expect(fragments.map(({ customer_code }) => customer_code)).toEqual([
    'CASH',
    'CASH',
    'CASH',
    'CASH',
    'C-9',
  ]);
  expect(refused.map(({ record }) => record)).toEqual(['D-5', 'D-6']);
});
