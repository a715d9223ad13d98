const CUSTOMERS = 2_000;
const SALESMEN = 40;
const PRODUCTS = 500;
export const LINES = 5;

const FORMS = ['Tablet', 'Capsule', 'Syrup', 'Drops', 'Cream', 'Inhaler', 'Sachet'];

export interface InvoiceData {
  invoice_no: string;
  invoice_date: string;
  salesman: string;
  customer: { code: string; name: string; area: string };
  items: { name: string; item_code: string; quantity: number; mrp: number }[];
}

/** The n-th invoice: deterministic, of five lines, with customers, salesmen and products that come again. */
export function invoiceBody(n: number): InvoiceData {
  // Multiplied by primes, so that neighbours differ as they do in life.
  const customer = (n * 7919) % CUSTOMERS;
  return {
    invoice_no: `INV-${String(n + 1).padStart(7, '0')}`,
    invoice_date: new Date(Date.UTC(2025, 0, 1 + (n % 365))).toISOString().slice(0, 10),
    salesman: `Salesman ${(n * 31) % SALESMEN}`,
    customer: {
      code: `CUST-${String(customer).padStart(4, '0')}`,
      name: `Pharmacy ${customer}`,
      area: `Area ${customer % 50}`,
    },
    items: Array.from({ length: LINES }, (_, line) => {
      const product = (n * 104_729 + line * 1_299_709) % PRODUCTS;
      return {
        name: `${FORMS[product % FORMS.length] ?? ''} ${product} ${(product % 9) + 1}00mg`,
        item_code: `P-${String(product).padStart(4, '0')}`,
        quantity: (product % 30) + 1,
        mrp: (((product * 37) % 9_000) + 50) / 100,
      };
    }),
  };
}

/** One invoice a line. */
export function* ndjsonFile(invoices: number): Generator<string> {
  for (let n = 0; n < invoices; n++) yield `${JSON.stringify(invoiceBody(n))}\n`;
}

export const CSV_HEADER =
  'invoice_no,invoice_date,salesman,customer_code,customer_name,customer_area,name,item_code,quantity,mrp';

/** One line of an invoice a line. */
export function* csvFile(invoices: number): Generator<string> {
  yield `${CSV_HEADER}\n`;
  for (let n = 0; n < invoices; n++) {
    const { invoice_no, invoice_date, salesman, customer, items } = invoiceBody(n);
    const head = [invoice_no, invoice_date, salesman, customer.code, customer.name, customer.area].join(',');
    yield items.map((i) => `${head},${i.name},${i.item_code},${i.quantity},${i.mrp}\n`).join('');
  }
}

/** A file's text in pieces of about a megabyte. */
export function* inPieces(lines: Iterable<string>): Generator<Buffer> {
  let piece = '';
  for (const line of lines) {
    piece += line;
    if (piece.length < 1024 * 1024) continue;
    yield Buffer.from(piece);
    piece = '';
  }
  if (piece !== '') yield Buffer.from(piece);
}

/** So many invoices straight into the tables, lines beside each other as an import leaves them; without events. */
export const FILL_SALES = (invoices: number): string => `
set session_replication_role = replica;
insert into sales.customer (code, name, area)
  select 'CUST-' || n, 'Pharmacy ' || n, 'Area ' || n % 50 from generate_series(0, ${CUSTOMERS - 1}) n;
insert into sales.salesman (name) select 'Salesman ' || n from generate_series(0, ${SALESMEN - 1}) n;
insert into sales.invoice (invoice_no, invoice_date, customer_id, salesman_id, total_amount, created_at)
  select 'INV-' || n, date '2025-01-01' + n % 365, 1 + (n::bigint * 7919) % ${CUSTOMERS}, 1 + n * 31 % ${SALESMEN}, 920,
    timestamptz '2025-01-01 08:00:00.123Z' + n * interval '1 minute'
  from generate_series(0, ${invoices - 1}) n;
insert into sales.invoice_item (invoice_id, position, name, item_code, quantity, mrp)
  select n, l, 'Tablet ' || n % ${PRODUCTS} || ' 500mg', 'P-' || n % ${PRODUCTS}, 1 + n % 30, 3.5 + l
  from generate_series(1, ${invoices}) n, generate_series(1, ${LINES}) l
  order by n, l;
insert into sales.invoice_count values (${invoices});
set session_replication_role = origin;
analyze;`;
