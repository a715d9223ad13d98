import pg from 'pg';
import type { Statement } from '../product-sql.js';
import { sendJson, serve, setting } from './peer-server.js';

/** The product's own statement and JSON for the first page, with nothing else around them. */
const pool = new pg.Pool({ connectionString: setting('DATABASE_URL'), max: Number(setting('POOL_SIZE')) });
const statement = JSON.parse(setting('STATEMENT')) as Statement;
const PAGE_SIZE = 20;
const next = `${setting('PUBLIC_URL')}/api/sales/invoices/?page=2&page_size=${PAGE_SIZE}`;

serve(async (_request, response) => {
  const { rows } = await pool.query<{ id: string; body: string; count: string }>(statement);
  const shown = rows.slice(0, PAGE_SIZE);
  const cursor = Buffer.from(JSON.stringify(['sales.invoices', shown.at(-1)?.id])).toString('base64url');
  const head = JSON.stringify({ count: Number(rows[0]?.count), next, previous: null, next_cursor: cursor });
  sendJson(response, `${head.slice(0, -1)},"results":[${shown.map((row) => row.body).join(',')}]}`);
});
