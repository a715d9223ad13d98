import { CsvError, parse } from 'csv-parse/sync';
import { PRICE, QUANTITY, readDecimal } from '#platform/http/money.js';
import { isRealDate } from '#platform/http/real-date.js';
import type { Fragment } from '../import-invoice/fragment.js';
import type { Columns, CsvField } from './columns.js';
import { type ParsedChunk, newFragment } from './parsed-chunk.js';
import { countLines } from './record-splitter.js';

interface CsvRecord {
  fields: string[];
  line: number;
  problem?: string;
}

const LIMITS = Object.entries({
  invoice_no: 64,
  salesman: 120,
  created_by: 120,
  remarks: 2000,
  'customer.code': 64,
  'customer.name': 200,
  'customer.area': 120,
  'customer.address1': 200,
  'customer.address2': 200,
  'customer.phone1': 40,
  'customer.phone2': 40,
  'customer.email': 200,
  'items.name': 300,
  'items.item_code': 64,
  'items.shelf_location': 64,
  'items.remarks': 500,
} satisfies Partial<Record<CsvField, number>>) as [CsvField, number][];
/** A line's amount with 13 digits before the point and 2 after still goes out as an exact number. */
const AMOUNT_LIMIT = 1e13;

const OPTIONS = {
  relax_column_count: true,
  // A quote inside of an unquoted field (`5" pipe`) is text.
  relax_quotes: true,
  skip_empty_lines: false,
  record_delimiter: ['\r\n', '\n'],
};

/** Records of whole CSV lines with the line each begins on; blank lines are left out. */
export function csvRecords(text: string, firstLine: number): CsvRecord[] {
  if (!text.includes('"')) return plainRecords(text, firstLine);
  try {
    const rows = parse(text, OPTIONS);
    const records =
      rows.length >= countLines(Buffer.from(text))
        ? rows.map((fields, index) => ({ fields, line: firstLine + index }))
        : numbered(text, firstLine);
    return records.filter(isNotBlank);
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    return lineByLine(text, firstLine);
  }
}

/** Without a quote in the text a line is a record and a comma ends a field: many times as fast as the parser. */
const plainRecords = (text: string, firstLine: number): CsvRecord[] =>
  text
    .split(/\r?\n/)
    .map((row, index) => ({ fields: row.split(','), line: firstLine + index }))
    .filter(isNotBlank);

/** Quoted fields contain line ends: counts those between the ends of the records. */
function numbered(text: string, firstLine: number): CsvRecord[] {
  const bytes = Buffer.from(text);
  let line = firstLine;
  let from = 0;
  const rows = parse(text, { ...OPTIONS, info: true }) as unknown as {
    record: string[];
    info: { bytes: number };
  }[];
  return rows.map(({ record, info }) => {
    const at = line;
    line += countLines(bytes.subarray(from, info.bytes));
    from = info.bytes;
    return { fields: record, line: at };
  });
}

/** Some quotes do not match: takes the chunk line by line, so that what is whole by itself is not refused with them. */
function lineByLine(text: string, firstLine: number): CsvRecord[] {
  return text.split(/\r?\n/).flatMap((row, index) => {
    const line = firstLine + index;
    if (row.trim() === '') return [];
    try {
      return parse(row, OPTIONS).map((fields) => ({ fields, line }));
    } catch {
      return [{ fields: row.split(','), line, problem: 'the quotes of this line do not match' }];
    }
  });
}

const isNotBlank = ({ fields }: CsvRecord) => fields.length > 1 || fields[0]?.trim() !== '';

/** The invoice numbers in a chunk, as often as they stand there. */
export function csvInvoiceNumbers(text: string, columns: Columns): string[] {
  const index = columns.invoice_no ?? 0;
  return csvRecords(text, 1).map(({ fields }) => (fields[index] ?? '').trim());
}

/** Turns the records of a chunk into fragments, one an invoice, and the lines that must be refused. */
export function parseCsvChunk(
  text: string,
  firstLine: number,
  options: { columns: Columns; width: number; defaultCustomerCode: string | null; withHeader?: boolean },
): ParsedChunk {
  const fragments = new Map<string, Fragment>();
  const refused: ParsedChunk['refused'] = [];
  let strays = 0;
  const limits = LIMITS.filter(([field]) => options.columns[field] !== undefined);
  const records = csvRecords(text, firstLine).slice(options.withHeader ? 1 : 0);
  for (const { fields: raw, line, problem } of records) {
    const fields = raw.map((field) => field.trim());
    const get = (field: CsvField): string => {
      const index = options.columns[field];
      return index === undefined ? '' : (fields[index] ?? '');
    };
    const invoiceNo = get('invoice_no');
    let fragment = fragments.get(invoiceNo);
    const read =
      fields.length === options.width && !problem
        ? readLine(get, limits, options.defaultCustomerCode, fragment?.customer_code ?? null)
        : { problem: problem ?? `has ${fields.length} fields, the header has ${options.width}` };
    if ('problem' in read) {
      refused.push({ record: invoiceNo.slice(0, 64) || null, line, reason: read.problem });
      if (invoiceNo === '' || invoiceNo.length > 64) {
        strays += 1;
        continue;
      }
    }
    if (!fragment) {
      fragment = newFragment(invoiceNo, line);
      fragments.set(invoiceNo, fragment);
    }
    if ('problem' in read) fragment.bad_line ??= line;
    else addLine(fragment, line, read);
  }
  return { fragments: [...fragments.values()], refused, strays };
}

interface Line {
  get: (field: CsvField) => string;
  customerCode: string;
  date: string;
  quantity: string;
  mrp: string;
  name: string;
}

/** @param invoiceCustomer whom the lines of the same invoice name before this one */
function readLine(
  get: (field: CsvField) => string,
  limits: typeof LIMITS,
  defaultCustomerCode: string | null,
  invoiceCustomer: string | null,
): Line | { problem: string } {
  for (const [field, limit] of limits) {
    if (get(field).length > limit) return { problem: `${field} is longer than ${limit} characters` };
  }
  if (get('invoice_no') === '') return { problem: 'invoice_no is blank' };
  const date = /^(\S{10})(?:[ T].*)?$/.exec(get('invoice_date'))?.[1];
  if (!isRealDate(date))
    return { problem: `invoice_date "${get('invoice_date').slice(0, 40)}" is not a date as YYYY-MM-DD` };
  const quantity = readDecimal(get('items.quantity'), QUANTITY);
  if ('problem' in quantity) return { problem: `items.quantity ${quantity.problem}` };
  const mrp = readDecimal(get('items.mrp'), PRICE);
  if ('problem' in mrp) return { problem: `items.mrp ${mrp.problem}` };
  if (Math.abs(Number(quantity.text) * Number(mrp.text)) >= AMOUNT_LIMIT)
    return { problem: 'the amount of the line is too large' };
  const customerCode = get('customer.code') || defaultCustomerCode;
  if (!customerCode) return { problem: 'customer.code is blank; ?default_customer_code= would stand in' };
  if (invoiceCustomer !== null && customerCode !== invoiceCustomer) {
    return {
      problem: `names customer ${customerCode}, the lines of the same invoice before it ${invoiceCustomer}`,
    };
  }
  const name = get('items.name') || get('items.item_code');
  if (name === '') return { problem: 'items.name and items.item_code are blank' };
  return { get, customerCode, date, quantity: quantity.text, mrp: mrp.text, name };
}

/** The first line of an invoice says what stands in its head. */
function addLine(
  fragment: Fragment,
  line: number,
  { get, customerCode, date, quantity, mrp, name }: Line,
): void {
  if (fragment.lines.length === 0) {
    const orNull = (field: CsvField) => get(field) || null;
    Object.assign(fragment, {
      first_line: line,
      invoice_date: date,
      customer_code: customerCode,
      customer_name: orNull('customer.name'),
      customer_area: orNull('customer.area'),
      customer_address1: orNull('customer.address1'),
      customer_address2: orNull('customer.address2'),
      customer_phone1: orNull('customer.phone1'),
      customer_phone2: orNull('customer.phone2'),
      customer_email: orNull('customer.email'),
      salesman: orNull('salesman'),
      created_by: orNull('created_by'),
      remarks: orNull('remarks'),
    } satisfies Partial<Fragment>);
  }
  fragment.lines.push(line);
  fragment.names.push(name);
  fragment.item_codes.push(get('items.item_code'));
  fragment.quantities.push(quantity);
  fragment.mrps.push(mrp);
  fragment.shelf_locations.push(get('items.shelf_location'));
  fragment.item_remarks.push(get('items.remarks'));
}
