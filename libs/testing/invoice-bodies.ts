import { Decimal } from 'decimal.js';
import type { SeededRandom } from './seeded-random.js';

export interface InvoiceItemBody {
  name: string;
  item_code: string;
  quantity: number;
  mrp: string;
}

/** The body of a single import. */
export interface SingleInvoice {
  invoice_no: string;
  invoice_date: string;
  salesman?: string;
  customer: { code: string; name?: string };
  items: InvoiceItemBody[];
}

/** An invoice of a few lines; customers and salesmen are few, so that imports meet at their rows. */
export function singleInvoice(random: SeededRandom, invoiceNo: string): SingleInvoice {
  const customer = random.between(1, 20);
  return {
    invoice_no: invoiceNo,
    invoice_date: `2025-0${random.between(1, 9)}-1${random.between(0, 9)}`,
    ...(random.chance(0.5) && { salesman: `Seller ${random.between(1, 5)}` }),
    customer: { code: `CUST-${customer}`, ...(random.chance(0.5) && { name: `Customer ${customer}` }) },
    items: Array.from({ length: random.between(1, 6) }, (_, index) => ({
      name: `Thing ${random.between(1, 99)}`,
      item_code: `T${index + 1}`,
      quantity: random.between(-3, 40),
      mrp: new Decimal(random.between(0, 99_999)).div(1000).toFixed(),
    })),
  };
}

/** Each line rounded to 2 decimals, half away from zero. */
export const totalOf = ({ items }: SingleInvoice): string =>
  items
    .reduce(
      (sum, item) =>
        sum.plus(new Decimal(item.quantity).times(item.mrp).toDecimalPlaces(2, Decimal.ROUND_HALF_UP)),
      new Decimal(0),
    )
    .toFixed(2);

/** The same as a file of the real file's columns would have it, so that one judge serves both. */
export const asRows = ({ invoice_no, invoice_date, customer, items }: SingleInvoice): string[] =>
  items.map((item) =>
    [
      invoice_no,
      item.item_code,
      item.name,
      item.quantity,
      `${invoice_date} 10:00:00`,
      item.mrp,
      customer.code,
      '',
    ].join(','),
  );
