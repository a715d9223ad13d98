import { createHash } from 'node:crypto';
import { Decimal } from 'decimal.js';
import type { FieldErrors } from '#platform/errors/app-error.js';
import { type DecimalRule, PRICE, QUANTITY, readDecimal } from '#platform/http/money.js';
import type { InvoiceBody } from '../invoice.dto.js';

/**
 * An invoice, or lines of one that stand together in a file, as the writer takes it: header values beside parallel
 * arrays of the lines. Amounts are canonical decimal texts. Null means "not said", which never blanks what is stored.
 */
export interface Fragment {
  invoice_no: string;
  /** Line of the file that it begins on; 1 for a single import. */
  first_line: number;
  invoice_date: string | null;
  customer_code: string | null;
  customer_name: string | null;
  customer_area: string | null;
  customer_address1: string | null;
  customer_address2: string | null;
  customer_phone1: string | null;
  customer_phone2: string | null;
  customer_email: string | null;
  salesman: string | null;
  created_by: string | null;
  remarks: string | null;
  lines: number[];
  names: string[];
  item_codes: string[];
  quantities: string[];
  mrps: string[];
  shelf_locations: string[];
  item_remarks: string[];
  bad_line: number | null;
}

/** An invoice with all its lines, ready to be written. */
export interface WholeInvoice extends Fragment {
  /** Each line rounded to 2 decimals, half away from zero, and summed: as the database does it. */
  total: string;
  /** Of everything that it says, in hex. */
  hash: string;
}

/** Puts the fragments of one invoice together, in the order of their lines; the first says what stands in its head. */
export function wholeOf(fragments: readonly [Fragment, ...Fragment[]]): WholeInvoice {
  const [head] = fragments;
  const invoice: Fragment = fragments.length === 1 ? head : { ...head, ...joined(fragments) };
  const said = CONTENT.map((field) => invoice[field]);
  return Object.assign(invoice, {
    total: totalOf(invoice.quantities, invoice.mrps),
    hash: createHash('sha256').update(JSON.stringify(said)).digest('hex'),
  });
}

const joined = (fragments: readonly Fragment[]) =>
  Object.fromEntries(
    LINES.map((field) => [field, fragments.flatMap((f): (string | number)[] => f[field])]),
  ) as Pick<Fragment, (typeof LINES)[number]>;

const CONTENT_OF_LINES = [
  'names',
  'item_codes',
  'quantities',
  'mrps',
  'shelf_locations',
  'item_remarks',
] as const satisfies (keyof Fragment)[];
const LINES = ['lines', ...CONTENT_OF_LINES] as const;
/** What makes two invoices of one number the same. */
const CONTENT = [
  'invoice_date',
  'customer_code',
  'customer_name',
  'customer_area',
  'customer_address1',
  'customer_address2',
  'customer_phone1',
  'customer_phone2',
  'customer_email',
  'salesman',
  'created_by',
  'remarks',
  ...CONTENT_OF_LINES,
] as const satisfies (keyof Fragment)[];

/** A total goes out as a JSON number, which is exact up to 15 digits: 13 before the point and 2 after. */
export const TOTAL_LIMIT = new Decimal('1e13');

/** @param line where a file names it; 1 for a single import */
export function fragmentOf(invoiceNo: string, body: InvoiceBody, line: number): Fragment {
  const { customer, items } = body;
  return {
    invoice_no: invoiceNo.trim(),
    first_line: line,
    invoice_date: body.invoice_date,
    customer_code: customer.code.trim(),
    customer_name: customer.name ?? null,
    customer_area: customer.area ?? null,
    customer_address1: customer.address1 ?? null,
    customer_address2: customer.address2 ?? null,
    customer_phone1: customer.phone1 ?? null,
    customer_phone2: customer.phone2 ?? null,
    customer_email: customer.email ?? null,
    salesman: body.salesman?.trim() ?? null,
    created_by: body.created_by ?? null,
    remarks: body.remarks ?? null,
    lines: items.map(() => line),
    names: items.map((item) => item.name),
    item_codes: items.map((item) => item.item_code ?? ''),
    quantities: items.map((item) => decimalText(item.quantity, QUANTITY)),
    mrps: items.map((item) => decimalText(item.mrp, PRICE)),
    shelf_locations: items.map((item) => item.shelf_location ?? ''),
    item_remarks: items.map((item) => item.remarks ?? ''),
    bad_line: null,
  };
}

/** The amount of a validated field. */
function decimalText(value: number | string, rule: DecimalRule): string {
  const read = readDecimal(value, rule);
  if ('problem' in read) throw new Error(`an amount was not validated: ${read.problem}`);
  return read.text;
}

/** What the validators of single fields cannot see: a total that would not fit. Null when all is well. */
export function contentProblems({ items }: Pick<InvoiceBody, 'items'>): FieldErrors | null {
  const total = totalOf(
    items.map((item) => decimalText(item.quantity, QUANTITY)),
    items.map((item) => decimalText(item.mrp, PRICE)),
  );
  return isTooLarge(total) ? { items: ['add up to a total that is too large'] } : null;
}

export const isTooLarge = (total: string): boolean => TOTAL_LIMIT.lte(total.replace('-', ''));

/** In whole numbers of the smallest unit, which are exact and many times as fast as decimals. */
export function totalOf(quantities: readonly string[], mrps: readonly string[]): string {
  let cents = 0n;
  for (const [index, quantity] of quantities.entries()) {
    // 4 decimals times 4 decimals; half a cent is added away from zero before the last 6 are cut off.
    const amount = tenThousandths(quantity) * tenThousandths(mrps[index] ?? '0');
    cents += (amount + (amount < 0n ? -500_000n : 500_000n)) / 1_000_000n;
  }
  const digits = String(cents < 0n ? -cents : cents).padStart(3, '0');
  return `${cents < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** A canonical decimal text times 10,000. */
function tenThousandths(text: string): bigint {
  const point = text.indexOf('.');
  if (point === -1) return BigInt(`${text}0000`);
  return BigInt(text.slice(0, point) + text.slice(point + 1).padEnd(4, '0'));
}
