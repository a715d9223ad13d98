import { setTimeout as sleep } from 'node:timers/promises';
import type { Sql } from './product.js';
import type { SeededRandom } from './seeded-random.js';

/**
 * Another program that writes straight into the tables, as a shop's own software does: it knows nothing of totals,
 * outbox or streams. It remembers what it committed, which is what must be told.
 */
export class OtherProgram {
  /** Committed invoice numbers, and how often each was changed by a later transaction. */
  readonly changes = new Map<string, number>();
  private readonly busy = new Set<string>();
  private count = 0;

  constructor(
    private readonly sql: Sql,
    private readonly random: SeededRandom,
    private readonly prefix: string,
  ) {}

  /** A transaction of some new invoices with lines; it may think before it commits, or think better of it. */
  async writeInvoices(howMany: number, options: { giveUp?: boolean; thinkMs?: number } = {}): Promise<void> {
    const numbers = Array.from({ length: howMany }, () => `${this.prefix}${++this.count}`);
    const done = await this.sql
      .tx(async (client) => {
        await client.query(
          `insert into sales.customer (code, name) values ('OTHER', 'Other') on conflict (code) do nothing`,
        );
        await client.query(
          `insert into sales.invoice (invoice_no, invoice_date, customer_id)
           select no, '2025-05-05', (select id from sales.customer where code = 'OTHER') from unnest($1::text[]) no`,
          [numbers],
        );
        await client.query(
          `insert into sales.invoice_item (invoice_id, position, name, quantity, mrp)
           select i.id, p, 'Thing ' || p, p, 1.255 from sales.invoice i, generate_series(1, 2) p
           where invoice_no = any($1)`,
          [numbers],
        );
        if (options.thinkMs) await sleep(options.thinkMs);
        if (options.giveUp) throw new GaveUp();
        return true;
      })
      .catch((error: unknown) => {
        if (error instanceof GaveUp) return false;
        throw error;
      });
    if (done) for (const no of numbers) this.changes.set(no, 0);
  }

  /** A later transaction that adds a line to an invoice, which tells of the invoice again. One at a time for each. */
  async addLine(): Promise<void> {
    const free = [...this.changes.keys()].filter((no) => !this.busy.has(no));
    if (free.length === 0) return;
    const no = this.random.pick(free);
    this.busy.add(no);
    try {
      await this.sql.rows(
        `insert into sales.invoice_item (invoice_id, name, quantity, mrp)
         select id, 'Later thing', 1, 0.005 from sales.invoice where invoice_no = $1`,
        [no],
      );
      this.changes.set(no, (this.changes.get(no) ?? 0) + 1);
    } finally {
      this.busy.delete(no);
    }
  }

  /** One random deed. */
  async act(): Promise<void> {
    if (this.changes.size > 0 && this.random.chance(0.3)) return this.addLine();
    return this.writeInvoices(this.random.between(1, 4), {
      giveUp: this.random.chance(0.15),
      thinkMs: this.random.chance(0.5) ? this.random.between(1, 25) : 0,
    });
  }

  /** What is wrong about the tellings of this program's invoices: each once as imported, then once a change. */
  async faults(): Promise<string[]> {
    const rows = await this.sql.rows<{ no: string; types: string[]; lines: number; total: string }>(
      `select body::jsonb ->> 'invoice_no' as no, array_agg(body::jsonb ->> 'type' order by seq) as types,
         (array_agg(jsonb_array_length(body::jsonb -> 'items') order by seq desc))[1] as lines,
         (array_agg(body::jsonb ->> 'total_amount' order by seq desc))[1] as total
       from platform.event where stream = 'sales-invoices' and body::jsonb ->> 'invoice_no' like $1 group by 1`,
      [`${this.prefix}%`],
    );
    const told = new Map(rows.map((row) => [row.no, row]));
    const found = rows
      .filter(({ no }) => !this.changes.has(no))
      .map(({ no }) => `${no} was told, not committed`);
    for (const [no, changes] of this.changes) {
      const row = told.get(no);
      const wanted = ['invoice_imported', ...Array.from({ length: changes }, () => 'invoice_updated')];
      if (row?.types.join() !== wanted.join())
        found.push(`${no} was told as ${row?.types.join() ?? 'nothing'}`);
      // round(1 x 1.255) + round(2 x 1.255), and 0.01 for each later line of 0.005.
      const total = (1.26 + 2.51 + 0.01 * changes).toFixed(2);
      if (row && (row.lines !== 2 + changes || Number(row.total).toFixed(2) !== total))
        found.push(`${no} was last told with ${row.lines} lines and ${row.total}`);
    }
    return found.slice(0, 12);
  }
}

class GaveUp extends Error {}
