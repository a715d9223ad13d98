import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { connected } from '../server.js';

/** Tables of the same shape, with the same indexes and constraints; without triggers, so without events and counts. */
const TABLES = `
create schema peer;
create table peer.customer (like sales.customer including all);
create table peer.salesman (like sales.salesman including all);
create table peer.invoice (like sales.invoice including all,
  foreign key (customer_id) references peer.customer, foreign key (salesman_id) references peer.salesman);
create table peer.invoice_item (like sales.invoice_item including all,
  foreign key (invoice_id) references peer.invoice on delete cascade);`;

const LINE = `
create temporary table line (no bigint generated always as identity, invoice_no text, invoice_date date, salesman text,
  customer_code text, customer_name text, customer_area text, name text, item_code text, quantity numeric(15, 4),
  mrp numeric(15, 4)) on commit drop`;

const COPY = `
copy line (invoice_no, invoice_date, salesman, customer_code, customer_name, customer_area, name, item_code, quantity, mrp)
from stdin (format csv, header)`;

const INSERTS = [
  `insert into peer.customer (code, name, area)
   select distinct on (customer_code) customer_code, customer_name, customer_area from line order by customer_code
   on conflict (code) do nothing`,
  `insert into peer.salesman (name) select distinct salesman from line on conflict (name) do nothing`,
  `insert into peer.invoice (invoice_no, invoice_date, customer_id, salesman_id, total_amount)
   select l.invoice_no, l.invoice_date, c.id, s.id, l.total
   from (select invoice_no, invoice_date, customer_code, salesman, min(no) as first, sum(round(quantity * mrp, 2)) as total
         from line group by invoice_no, invoice_date, customer_code, salesman) l
   join peer.customer c on c.code = l.customer_code left join peer.salesman s on s.name = l.salesman
   order by l.first on conflict (invoice_no) do nothing`,
  `insert into peer.invoice_item (invoice_id, position, name, item_code, quantity, mrp)
   select i.id, row_number() over (partition by i.id order by l.no), l.name, l.item_code, l.quantity, l.mrp
   from line l join peer.invoice i using (invoice_no)`,
];

/**
 * The same rows by COPY into a temporary table and INSERT ... SELECT, in one transaction.
 * @returns seconds
 */
export async function copyImport(
  database: string,
  settle: () => Promise<void>,
  content: Iterable<Buffer>,
): Promise<number> {
  const pieces = [...content];
  return connected(database, async (client) => {
    await client.query(TABLES);
    await settle();
    const start = performance.now();
    await client.query('begin');
    await client.query(LINE);
    await pipeline(Readable.from(pieces), client.query(copyFrom(COPY)));
    await client.query('analyze line');
    for (const sql of INSERTS) await client.query(sql);
    await client.query('commit');
    return (performance.now() - start) / 1000;
  });
}
