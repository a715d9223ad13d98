import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { parse } from 'csv-parse';
import { Decimal } from 'decimal.js';
import type { Sql } from './product.js';

/** What an invoice must be, worked out from the file by other means than the product's. */
export interface ExpectedInvoice {
  invoiceDate: string;
  customer: string;
  lines: number;
  /** Exact, unrounded. */
  net: Decimal;
  /** Each line rounded to 2 decimals, half away from zero. */
  total: Decimal;
  /** Of its lines in the order of the file. */
  print: string;
}

/** Everything that must be stored, by invoice number. */
export class ExpectedInvoices {
  readonly invoices = new Map<string, ExpectedInvoice>();

  get lines(): number {
    return [...this.invoices.values()].reduce((sum, invoice) => sum + invoice.lines, 0);
  }

  get net(): Decimal {
    return [...this.invoices.values()].reduce((sum, invoice) => sum.plus(invoice.net), new Decimal(0));
  }

  get total(): Decimal {
    return [...this.invoices.values()].reduce((sum, invoice) => sum.plus(invoice.total), new Decimal(0));
  }

  add(other: ExpectedInvoices): this {
    for (const [no, invoice] of other.invoices) this.invoices.set(no, invoice);
    return this;
  }
}

/** Customer of lines that name none, as the tests upload their files. */
export const DEFAULT_CUSTOMER = 'WALK-IN';

interface Row {
  InvoiceNo: string;
  StockCode: string;
  Description: string;
  Quantity: string;
  InvoiceDate: string;
  UnitPrice: string;
  CustomerID: string;
}

/** Reads a file with the columns of the online-retail data. */
export async function expectedOf(csv: Readable): Promise<ExpectedInvoices> {
  const expected = new ExpectedInvoices();
  const texts = new Map<string, string[]>();
  const rows = csv.pipe(parse({ columns: true, bom: true })) as AsyncIterable<Row>;
  for await (const row of rows) {
    const no = row.InvoiceNo.trim();
    const quantity = new Decimal(row.Quantity.trim());
    const price = new Decimal(row.UnitPrice.trim());
    const code = row.StockCode.trim();
    const known = expected.invoices.get(no) ?? {
      // The first line of an invoice counts.
      invoiceDate: row.InvoiceDate.trim().slice(0, 10),
      customer: row.CustomerID.trim() || DEFAULT_CUSTOMER,
      lines: 0,
      net: new Decimal(0),
      total: new Decimal(0),
      print: '',
    };
    known.lines += 1;
    known.net = known.net.plus(quantity.times(price));
    known.total = known.total.plus(quantity.times(price).toDecimalPlaces(2, Decimal.ROUND_HALF_UP));
    expected.invoices.set(no, known);
    const text = [code, row.Description.trim() || code, quantity.toFixed(), price.toFixed()].join('|');
    const all = texts.get(no);
    if (all) all.push(text);
    else texts.set(no, [text]);
  }
  for (const [no, invoice] of expected.invoices) {
    invoice.print = createHash('md5')
      .update((texts.get(no) ?? []).join('\n'))
      .digest('hex');
  }
  return expected;
}

interface Stored extends Record<string, unknown> {
  invoice_no: string;
  invoice_date: string;
  customer: string;
  lines: number;
  positions: number;
  net: string;
  total: string;
  print: string;
}

const SHOWN = 12;

/**
 * Compares what is stored with what must be, invoice by invoice and to the cent.
 * @param pattern which invoice numbers are judged (SQL `like`)
 * @returns sentences; none when all is well
 */
export async function differencesFrom(
  sql: Sql,
  expected: ExpectedInvoices,
  options: { pattern?: string; partial?: boolean } = {},
): Promise<string[]> {
  const stored = await sql.rows<Stored>(
    `select i.invoice_no, i.invoice_date::text, c.code as customer, count(l.position)::int as lines,
       coalesce(max(l.position), 0) as positions, coalesce(sum(l.quantity * l.mrp), 0)::text as net,
       i.total_amount::text as total,
       md5(string_agg(concat_ws('|', l.item_code, l.name, trim_scale(l.quantity), trim_scale(l.mrp)), chr(10)
                      order by l.position)) as print
     from sales.invoice i join sales.customer c on c.id = i.customer_id
     left join sales.invoice_item l on l.invoice_id = i.id
     where i.invoice_no like $1 and i.deleted_at is null group by i.id, c.code`,
    [options.pattern ?? '%'],
  );
  const found: string[] = [];
  const seen = new Set<string>();
  for (const row of stored) {
    const no = row.invoice_no;
    if (seen.has(no)) found.push(`${no} is stored twice`);
    seen.add(no);
    const wanted = expected.invoices.get(no);
    if (!wanted) found.push(`${no} is stored but nobody sent it`);
    else found.push(...differences(no, row, wanted));
  }
  if (!options.partial) {
    for (const no of expected.invoices.keys()) if (!seen.has(no)) found.push(`${no} is lost`);
  }
  return found.length > SHOWN ? [...found.slice(0, SHOWN), `... ${found.length} differences in all`] : found;
}

function differences(no: string, row: Stored, wanted: ExpectedInvoice): string[] {
  const pairs: [string, unknown, unknown][] = [
    ['lines', row.lines, wanted.lines],
    ['last position', row.positions, wanted.lines],
    ['sum of quantity x mrp', new Decimal(row.net).toFixed(), wanted.net.toFixed()],
    ['total_amount', row.total, wanted.total.toFixed(2)],
    ['invoice_date', row.invoice_date, wanted.invoiceDate],
    ['customer', row.customer, wanted.customer],
    ['content of the lines', row.print, wanted.print],
  ];
  return pairs
    .filter(([, is, should]) => is !== should)
    .map(([what, is, should]) => `${no}: ${what} is ${String(is)}, must be ${String(should)}`);
}

/** The sums that issue 2 names, from PostgreSQL, exact texts. */
export async function storedSums(sql: Sql): Promise<Record<string, string>> {
  return sql.row<Record<string, string>>(
    `select (select count(*) from sales.invoice)::text as invoices, count(*)::text as lines,
       trim_scale(coalesce(sum(quantity * mrp), 0))::text as net,
       (select coalesce(sum(total_amount), 0) from sales.invoice)::text as total,
       (select sum(n) from sales.invoice_count)::text as counted
     from sales.invoice_item`,
  );
}

/** The same from the file. */
export const expectedSums = (expected: ExpectedInvoices): Record<string, string> => ({
  invoices: String(expected.invoices.size),
  lines: String(expected.lines),
  net: expected.net.toFixed(),
  total: expected.total.toFixed(2),
  counted: String(expected.invoices.size),
});
