import { invalid } from '#platform/errors/app-error.js';

/** What a CSV column can mean, named as in the body of a single import. */
export const CSV_FIELDS = [
  'invoice_no',
  'invoice_date',
  'salesman',
  'created_by',
  'remarks',
  'customer.code',
  'customer.name',
  'customer.area',
  'customer.address1',
  'customer.address2',
  'customer.phone1',
  'customer.phone2',
  'customer.email',
  'items.name',
  'items.item_code',
  'items.quantity',
  'items.mrp',
  'items.shelf_location',
  'items.remarks',
] as const;
export type CsvField = (typeof CSV_FIELDS)[number];

/** Index of each field's column in the file. */
export type Columns = Partial<Record<CsvField, number>>;

const MAX_COLUMNS = 500;
const REQUIRED: readonly CsvField[] = ['invoice_no', 'invoice_date', 'items.quantity', 'items.mrp'];

/** `item_code`, `items[].item_code` and `customer_code` are understood too. */
function fieldNamed(name: string): CsvField | undefined {
  const plain = name
    .trim()
    .toLowerCase()
    .replace(/\[\d*\]/g, '')
    .replace(/^item\./, 'items.');
  const candidates = [
    plain,
    `items.${plain}`,
    plain.replace(/^customer_/, 'customer.'),
    plain.replace(/^items?_/, 'items.'),
  ];
  if (plain === 'customer') candidates.push('customer.code');
  return candidates.map((c) => CSV_FIELDS.find((field) => field === c)).find((field) => field !== undefined);
}

/**
 * Parses the query parameter `map`.
 * @throws 400 naming `map` or the field in it
 */
export function parseMap(text: string | undefined): Map<CsvField, string> {
  if (text === undefined) return new Map();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid({ map: ['must be URL-encoded JSON: {"field": "header of the file"}'] });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid({ map: ['must be a JSON object: {"field": "header of the file"}'] });
  }
  const map = new Map<CsvField, string>();
  for (const [name, header] of Object.entries(value)) {
    const field = fieldNamed(name);
    if (!field)
      throw invalid({ [`map.${name}`]: [`is not a field; the fields are ${CSV_FIELDS.join(', ')}`] });
    if (typeof header !== 'string' || header === '')
      throw invalid({ [`map.${name}`]: ['must name a header of the file'] });
    if (map.has(field)) throw invalid({ [`map.${name}`]: [`maps ${field} a second time`] });
    map.set(field, header);
  }
  return map;
}

/**
 * Finds each field's column: by the map, and for what is not mapped by the header's own name.
 * @throws 400 naming the fields without a column, headers that are not there, and a header given twice
 */
export function findColumns(
  header: readonly string[],
  map: Map<CsvField, string>,
  hasDefaultCustomer: boolean,
): Columns {
  if (header.length > MAX_COLUMNS) {
    throw invalid(
      { file: [`has ${header.length} columns; at most ${MAX_COLUMNS} are taken`] },
      'sales.file_columns',
    );
  }
  const names = header.map((name) => name.trim());
  const columns: Columns = {};
  const errors: Record<string, string[]> = {};
  const place = (field: CsvField, index: number, name: string) => {
    if (names.indexOf(names[index] ?? '', index + 1) !== -1) errors[name] = [`stands twice in the header`];
    columns[field] = index;
  };
  for (const [field, wanted] of map) {
    const index = names.indexOf(wanted.trim());
    if (index === -1)
      errors[`map.${field}`] = [
        `names "${wanted}", which is not in the header (${names.slice(0, 20).join(', ')})`,
      ];
    else place(field, index, `map.${field}`);
  }
  names.forEach((name, index) => {
    const field = fieldNamed(name);
    if (field && columns[field] === undefined && !map.has(field)) place(field, index, name);
  });
  for (const field of REQUIRED) {
    if (columns[field] === undefined && !map.has(field)) errors[field] = ['has no column: name it by ?map='];
  }
  if (columns['items.name'] === undefined && columns['items.item_code'] === undefined) {
    errors['items.name'] = ['has no column, nor has items.item_code: name one by ?map='];
  }
  if (columns['customer.code'] === undefined && !hasDefaultCustomer) {
    errors['customer.code'] = ['has no column: name it by ?map=, or give ?default_customer_code='];
  }
  if (Object.keys(errors).length > 0) throw invalid(errors, 'sales.file_columns');
  return columns;
}
