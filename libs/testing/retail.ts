import { createReadStream, existsSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { createGunzip } from 'node:zlib';
import { type ExpectedInvoices, DEFAULT_CUSTOMER, expectedOf } from './invoice-expectations.js';
import type { Client } from './http-client.js';
import { postUntilAnswered } from './persistent-client.js';
import type { SeededRandom } from './seeded-random.js';

/** Real business data beside the clone; a fresh clone elsewhere does not have it. */
const REAL_FILE = fileURLToPath(
  new URL('../../../shared/data/online-retail/online_retail.csv.gz', import.meta.url),
);

export const hasRealFile = (): boolean => existsSync(REAL_FILE);

/** The real file's text and what must come of it. */
export async function realFile(): Promise<{ csv: Buffer; expected: ExpectedInvoices }> {
  const open = () => createReadStream(REAL_FILE).pipe(createGunzip());
  return { csv: await buffer(open()), expected: await expectedOf(open()) };
}

const MAP = {
  invoice_no: 'InvoiceNo',
  invoice_date: 'InvoiceDate',
  'customer.code': 'CustomerID',
  'customer.area': 'Country',
  'items.item_code': 'StockCode',
  'items.name': 'Description',
  'items.quantity': 'Quantity',
  'items.mrp': 'UnitPrice',
};

/** The address that imports a file with the real file's columns. */
export const IMPORT_PATH = `/api/sales/import/invoices/?${new URLSearchParams({
  map: JSON.stringify(MAP),
  default_customer_code: DEFAULT_CUSTOMER,
}).toString()}`;

/** Uploads a file. @returns the session's id */
export async function startImport(client: Client, csv: string | Buffer): Promise<string> {
  const answer = await client.send<{ session_id: string }>('POST', IMPORT_PATH, csv, {
    'content-type': 'text/csv',
  });
  if (answer.status !== 202) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body.session_id;
}

/** Uploads a file for as long as it takes: by its key, an upload whose answer was lost is not begun twice. */
export async function startImportOnce(
  urls: () => string,
  headers: Record<string, string>,
  csv: string,
  key: string,
): Promise<string> {
  const answer = await postUntilAnswered<{ session_id: string }>(urls, IMPORT_PATH, csv, {
    ...headers,
    'content-type': 'text/csv',
    'idempotency-key': key,
  });
  if (answer.status !== 202) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body.session_id;
}

export const CSV_HEADER = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country';
const NAMES = [
  'WHITE HANGING HEART',
  'CAFÉ MUG "ROUGE"',
  ' SPACED OUT ',
  'LAMPE, GRÜN',
  '',
  'ペン',
  'SET OF 6',
];

/**
 * A file with everything that makes the real one hard: scattered and doubled lines, returns, lines without a
 * customer, two timestamps in an invoice, odd prices, blank and quoted and spaced names.
 * @param options.prefix begins every invoice number, so that files do not meet
 */
export function madeUpFile(
  random: SeededRandom,
  options: { prefix: string; invoices: number; lines: number },
): string {
  const rows: string[] = [];
  const mean = options.lines / options.invoices;
  for (let n = 1; n <= options.invoices; n++) {
    const isReturn = random.chance(0.06);
    const no = `${options.prefix}${isReturn ? 'C' : ''}${n}`;
    const customer = random.chance(0.25) ? '' : String(12_000 + random.between(0, 400));
    const day = `2011-${pad(random.between(1, 12))}-${pad(random.between(1, 28))}`;
    const country = customer ? 'United Kingdom' : '';
    // Most invoices are short, a few are long.
    const count = random.chance(0.02)
      ? Math.round(mean * 6)
      : Math.max(1, Math.round(mean * (0.4 + random.next())));
    for (let k = 0; k < count; k++) {
      const quantity = (isReturn ? -1 : 1) * random.between(1, 96);
      const price = random.pick(['0', '0.85', '1.255', '2.55', '4.95', '0.001', '-11.06', '165.005', '7.5']);
      const name = random.pick(NAMES);
      const quoted = /[",]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
      const time = k > 2 && random.chance(0.05) ? '23:59:00' : '10:26:00';
      const code = `${random.between(10_000, 99_999)}${random.pick(['', 'A', 'B '])}`;
      rows.push([no, code, quoted, quantity, `${day} ${time}`, price, customer, country].join(','));
      // Exact duplicates are real lines.
      if (random.chance(0.02)) rows.push(rows.at(-1) ?? '');
    }
  }
  // Some lines stand far from the rest of their invoice.
  for (let moved = 0; moved < rows.length / 25; moved++) {
    const [row] = rows.splice(random.between(0, rows.length - 1), 1);
    if (row !== undefined) rows.splice(random.between(0, rows.length), 0, row);
  }
  return [CSV_HEADER, ...rows, ''].join('\n');
}

const pad = (n: number) => String(n).padStart(2, '0');
