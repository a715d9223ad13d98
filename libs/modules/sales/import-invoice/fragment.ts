import { Decimal } from 'decimal.js';
import type { FieldErrors } from '#platform/errors/app-error.js';
import { type DecimalRule, PRICE, QUANTITY, readDecimal } from '#platform/http/money.js';
import type { InvoiceBody, ItemBody } from '../invoice.dto.js';

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

/** The columns of {@link Fragment} as PostgreSQL reads them out of JSON. */
export const FRAGMENT_COLUMNS = `invoice_no text, first_line bigint, invoice_date date, customer_code text,
  customer_name text, customer_area text, customer_address1 text, customer_address2 text, customer_phone1 text,
  customer_phone2 text, customer_email text, salesman text, created_by text, remarks text, lines bigint[], names text[],
  item_codes text[], quantities numeric[], mrps numeric[], shelf_locations text[], item_remarks text[], bad_line bigint`;

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
  return totalOf(items).abs().gte(TOTAL_LIMIT) ? { items: ['add up to a total that is too large'] } : null;
}

/** Each line rounded to 2 decimals, half away from zero, and summed: as the database does it. */
export function totalOf(items: readonly Pick<ItemBody, 'quantity' | 'mrp'>[]): Decimal {
  return items.reduce(
    (sum, item) =>
      sum.plus(new Decimal(item.quantity).times(item.mrp).toDecimalPlaces(2, Decimal.ROUND_HALF_UP)),
    new Decimal(0),
  );
}
