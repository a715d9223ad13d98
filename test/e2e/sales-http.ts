import pg from 'pg';
import type { SessionBody } from '#modules/operations/list-sessions/list-sessions.query.js';
import type { ImportFileAnswer } from '#modules/sales/import-file/import-file.command.js';
import type { ImportAnswer } from '#modules/sales/import-invoice/import-invoice.command.js';
import type { CustomerView, InvoiceView } from '#modules/sales/invoice.dto.js';
import type { InvoicePage } from '#modules/sales/list-invoices/list-invoices.query.js';
import type { Problem } from '#platform/http/problem.js';
import type { TestApi } from '#testing/app.js';
import type { Answer, Client } from '#testing/http-client.js';

export const LIST = '/api/sales/invoices/';
export const IMPORT = '/api/sales/import/invoice/';
export const FILES = '/api/sales/import/invoices/';
export const STREAM = '/api/sales/sse/invoices/';

export interface Item {
  name: string;
  quantity: number | string;
  mrp: number | string;
  item_code?: string;
  shelf_location?: string;
  remarks?: string;
}

export interface Invoice {
  invoice_no: string;
  invoice_date: string;
  customer: Partial<CustomerView>;
  items: Item[];
  salesman?: string;
  created_by?: string;
  remarks?: string;
}

let count = 0;

/** A valid import; each its own number unless one is given. */
export const anInvoice = (changes: Partial<Invoice> = {}): Invoice => ({
  invoice_no: `T-${++count}`,
  invoice_date: '2026-01-02',
  customer: { code: 'C-1', name: 'Corner Shop' },
  items: [{ name: 'Tea', item_code: 'TEA', quantity: 2, mrp: 3.5 }],
  ...changes,
});

/** Imports an invoice that must be accepted, and answers its id. */
export async function imported(operator: Client, changes: Partial<Invoice> = {}): Promise<number> {
  const { status, body } = await operator.post<ImportAnswer>(IMPORT, anInvoice(changes));
  if (status !== 201) throw new Error(`import: ${status} ${JSON.stringify(body)}`);
  return body.data.id;
}

export const invoiceOf = (client: Client, id: number) => client.get<InvoiceView>(`${LIST}${id}/`);

export const pageOf = (client: Client, query = '') => client.get<InvoicePage>(`${LIST}${query}`);

/** A refusal must be a problem that names exactly this. */
export function expectRefused(
  answer: Answer<unknown>,
  status: number,
  ...fields: string[]
): asserts answer is Answer<Problem> {
  const problem = answer.body as Problem;
  expect({ status: answer.status, body: problem }).toMatchObject({
    status,
    body: { status, success: false },
  });
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  for (const field of fields) expect(Object.keys(problem.errors ?? {})).toContain(field);
}

export interface Upload {
  type?: string;
  map?: Record<string, string>;
  code?: string;
  headers?: Record<string, string>;
}

/** Sends a file of invoices. */
export function upload(
  client: Client,
  content: string | Uint8Array,
  { type = 'text/csv', map, code, headers }: Upload = {},
): Promise<Answer<ImportFileAnswer>> {
  const query = new URLSearchParams({
    ...(map && { map: JSON.stringify(map) }),
    ...(code !== undefined && { default_customer_code: code }),
  });
  return client.post<ImportFileAnswer>(`${FILES}?${query.toString()}`, content, {
    'content-type': type,
    ...headers,
  });
}

export const NDJSON = 'application/x-ndjson';
export const ndjson = (...invoices: object[]) => invoices.map((i) => `${JSON.stringify(i)}\n`).join('');

/** Resolves with the session once it has ended. */
export async function ended(client: Client, sessionId: string, ms = 20_000): Promise<SessionBody> {
  const deadline = Date.now() + ms;
  for (;;) {
    const { body } = await client.get<SessionBody>(`/api/sessions/${sessionId}`);
    if (body.finished_at) return body;
    if (Date.now() > deadline) throw new Error(`session ${sessionId} is still ${body.state}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Uploads a file that must be accepted and waits for the end of its session. */
export async function importFile(
  client: Client,
  content: string | Uint8Array,
  options: Upload = {},
): Promise<SessionBody> {
  const { status, body } = await upload(client, content, options);
  if (status !== 202) throw new Error(`upload: ${status} ${JSON.stringify(body)}`);
  return ended(client, body.session_id);
}

export interface OutcomeRow {
  outcome: string;
  record: string | null;
  line: number | null;
  reason: string | null;
}

/** What was refused of a file, in order. */
export async function rejected(client: Client, sessionId: string): Promise<OutcomeRow[]> {
  const { body } = await client.get<{ data: OutcomeRow[] }>(
    `/api/sessions/${sessionId}/outcomes?outcome=rejected&limit=200`,
  );
  return body.data.map(({ outcome, record, line, reason }) => ({ outcome, record, line, reason }));
}

/** Another program that writes straight into the tables. */
export async function otherProgram(api: { database: { url: string } }): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: api.database.url });
  await client.connect();
  return client;
}

/** How many rows everything that an import could leave behind has. */
export async function stored(api: TestApi): Promise<Record<string, number>> {
  const tables = ['invoice', 'invoice_item', 'customer', 'salesman', 'import_file', 'import_chunk'];
  const staged = ['import_fragment', 'import_invoice'];
  const row = await api.db.first<Record<string, string>>(
    `select ${[...tables, ...staged].map((t) => `(select count(*) from sales.${t}) as ${t}`).join(', ')},
       (select count(*) from platform.session) as session`,
  );
  return Object.fromEntries(Object.entries(row ?? {}).map(([table, n]) => [table, Number(n)]));
}
