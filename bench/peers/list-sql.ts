import pg from 'pg';
import type { Statement } from '../product-sql.js';
import { sendJson, serve, setting } from './peer-server.js';

/** The product's own statements and JSON for the first page, with nothing else around them. */
const pool = new pg.Pool({ connectionString: setting('DATABASE_URL'), max: Number(setting('POOL_SIZE')) });
const statements = JSON.parse(setting('STATEMENTS')) as Statement[];
const PAGE_SIZE = 20;
const next = `${setting('PUBLIC_URL')}/api/sales/invoices/?page=2&page_size=${PAGE_SIZE}`;

serve(async (_request, response) => {
  const [page, count] = await Promise.all(statements.map((statement) => pool.query(statement)));
  const rows = (page?.rows ?? []) as { id: string; body: string }[];
  const shown = rows.slice(0, PAGE_SIZE);
  const cursor = Buffer.from(JSON.stringify(['sales.invoices', shown.at(-1)?.id])).toString('base64url');
  const n = Number((count?.rows[0] as { n: string }).n);
  const head = JSON.stringify({ count: n, next, previous: null, next_cursor: cursor });
  sendJson(response, `${head.slice(0, -1)},"results":[${shown.map((row) => row.body).join(',')}]}`);
});
