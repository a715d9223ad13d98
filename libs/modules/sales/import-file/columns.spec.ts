import { AppError } from '#platform/errors/app-error.js';
import { findColumns, parseMap } from './columns.js';

const HEADER = ['invoice_no', 'invoice_date', 'customer.code', 'items.name', 'items.quantity', 'items.mrp'];

function errorsOf(work: () => unknown): string[] {
  try {
    work();
    return [];
  } catch (error) {
    if (error instanceof AppError && error.status === 400) return Object.keys(error.options.errors ?? {});
    throw error;
  }
}

it('finds columns by their names, whatever the order, the case and the way of writing', () => {
  expect(findColumns(HEADER, new Map(), false)).toEqual({
    invoice_no: 0,
    invoice_date: 1,
    'customer.code': 2,
    'items.name': 3,
    'items.quantity': 4,
    'items.mrp': 5,
  });
  const other = [
    'MRP',
    ' Quantity ',
    'items[].name',
    'Customer',
    'INVOICE_NO',
    'item.item_code',
    'invoice_date',
    'customer_name',
  ];
  expect(findColumns(other, new Map(), false)).toMatchObject({
    'items.mrp': 0,
    'items.quantity': 1,
    'items.name': 2,
    'customer.code': 3,
    invoice_no: 4,
    'items.item_code': 5,
    'customer.name': 7,
  });
});

it('the map wins over the names', () => {
  const columns = findColumns([...HEADER, 'price'], parseMap('{"mrp":"price"}'), false);
  expect(columns['items.mrp']).toBe(6);
});

it('a column that the map gave away is not taken a second time by its name', () => {
  const columns = findColumns(['No', ...HEADER.slice(1)], parseMap('{"invoice_no":"No"}'), false);
  expect(columns.invoice_no).toBe(0);
});

it('remarks belong to the invoice, items.remarks to the line', () => {
  const columns = findColumns([...HEADER, 'remarks', 'items.remarks'], new Map(), false);
  expect([columns.remarks, columns['items.remarks']]).toEqual([6, 7]);
});

it.each(['invoice_no', 'invoice_date', 'items.quantity', 'items.mrp', 'customer.code', 'items.name'])(
  'misses %s',
  (field) => {
    const header = HEADER.filter((name) => name !== field);
    expect(errorsOf(() => findColumns(header, new Map(), false))).toEqual([field]);
  },
);

it('needs no customer where a default is given, no name where there is a code', () => {
  expect(
    errorsOf(() =>
      findColumns(
        HEADER.filter((name) => name !== 'customer.code'),
        new Map(),
        true,
      ),
    ),
  ).toEqual([]);
  expect(
    errorsOf(() =>
      findColumns(
        HEADER.map((name) => (name === 'items.name' ? 'item_code' : name)),
        new Map(),
        false,
      ),
    ),
  ).toEqual([]);
});

it('names a header that the map wants and that is not there, and one that stands twice', () => {
  expect(errorsOf(() => findColumns(HEADER, parseMap('{"salesman":"Rep"}'), false))).toEqual([
    'map.salesman',
  ]);
  expect(errorsOf(() => findColumns([...HEADER, 'items.mrp'], new Map(), false))).toEqual(['items.mrp']);
  expect(errorsOf(() => findColumns([...HEADER, 'x', 'x'], new Map(), false))).toEqual([]);
});

it('takes 500 columns and not more', () => {
  const wide = (n: number) => [...HEADER, ...Array.from({ length: n - HEADER.length }, (_, i) => `c${i}`)];
  expect(errorsOf(() => findColumns(wide(500), new Map(), false))).toEqual([]);
  expect(errorsOf(() => findColumns(wide(501), new Map(), false))).toEqual(['file']);
});

describe('the map', () => {
  it('is optional', () => expect(parseMap(undefined).size).toBe(0));
  it.each(['', '{', '[]', '5', 'null', '"a"'])('%j is refused', (text) =>
    expect(errorsOf(() => parseMap(text))).toEqual(['map']),
  );
  it.each<[string, string]>([
    ['{"colour":"c"}', 'map.colour'],
    ['{"mrp":5}', 'map.mrp'],
    ['{"mrp":""}', 'map.mrp'],
    ['{"mrp":null}', 'map.mrp'],
    ['{"mrp":"a","items.mrp":"b"}', 'map.items.mrp'],
    ['{"__proto__":"a"}', 'map.__proto__'],
    ['{"constructor":"a"}', 'map.constructor'],
  ])('%s names %s', (text, field) => expect(errorsOf(() => parseMap(text))).toEqual([field]));
});
