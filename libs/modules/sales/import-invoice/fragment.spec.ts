import fc from 'fast-check';
import pg from 'pg';
import { testServerUrl } from '#platform/config/test-environment.js';
import { totalOf } from './fragment.js';

const amount = (digits: bigint, scale: number) =>
  fc
    .tuple(fc.bigInt({ min: -(10n ** digits), max: 10n ** digits }), fc.integer({ min: 0, max: scale }))
    .map(([n, s]) => {
      const text = String(n < 0n ? -n : n).padStart(s + 1, '0');
      return `${n < 0n ? '-' : ''}${text.slice(0, text.length - s)}${s > 0 ? `.${text.slice(-s)}` : ''}`;
    });
const line = fc.record({
  quantity: fc.oneof(amount(5n, 4), amount(10n, 4)),
  mrp: fc.oneof(amount(6n, 4), amount(10n, 4)),
});

it('the total that is checked is the total that PostgreSQL stores, to the cent', async () => {
  const client = new pg.Client({ connectionString: testServerUrl() });
  await client.connect();
  const invoices = fc.sample(fc.array(line, { minLength: 1, maxLength: 5 }), 800);
  const { rows } = await client.query<{ total: string }>(
    `select (select sum(round((l->>'quantity')::numeric(15, 4) * (l->>'mrp')::numeric(15, 4), 2)) from jsonb_array_elements(i) l) as total
     from jsonb_array_elements($1::jsonb) with ordinality as x (i, n) order by n`,
    [JSON.stringify(invoices)],
  );
  await client.end();
  expect(rows.map((row) => row.total)).toEqual(
    invoices.map((items) =>
      totalOf(
        items.map((item) => item.quantity),
        items.map((item) => item.mrp),
      ),
    ),
  );
});

it.each<[string, string, string]>([
  ['1', '0.005', '0.01'],
  ['-1', '0.005', '-0.01'],
  ['1', '1.005', '1.01'],
  ['3', '0.115', '0.35'],
  ['0.3333', '0.3333', '0.11'],
])('%s x %s rounds half away from zero to %s', (quantity, mrp, total) => {
  expect(totalOf([quantity], [mrp])).toBe(total);
});
