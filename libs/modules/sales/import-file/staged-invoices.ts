import { Injectable } from '@nestjs/common';
import { Database } from '#platform/persistence/database.js';
import type { Outcome } from '#platform/sync/outcomes.js';
import { type Fragment, type WholeInvoice, wholeOf } from '../import-invoice/fragment.js';

type Refusal = Pick<Outcome, 'outcome' | 'record' | 'line' | 'reason'>;

/** The lines of a file between reading and writing, kept in PostgreSQL so that memory stays flat and any worker can go on. */
@Injectable()
export class StagedInvoices {
  constructor(private readonly db: Database) {}

  async add(sessionId: string, fragments: Fragment[]): Promise<void> {
    if (fragments.length === 0) return;
    await this.db.prepared(
      'sales.stage',
      `insert into sales.import_fragment (session_id, invoice_no, first_line, customer_code, bad_line, body)
       select $1::uuid, f ->> 'invoice_no', (f ->> 'first_line')::bigint, f ->> 'customer_code',
         (f ->> 'bad_line')::bigint, f
       from json_array_elements($2::json) f`,
      [sessionId, JSON.stringify(fragments)],
    );
  }

  /**
   * Numbers the invoices by their first lines and marks those that must be refused whole.
   * @returns how many there are
   */
  async putInOrder(sessionId: string): Promise<number> {
    await this.db.execute('delete from sales.import_invoice where session_id = $1', [sessionId]);
    return this.db.execute(
      `insert into sales.import_invoice (session_id, ordinal, invoice_no, first_line, refusal)
       select $1, row_number() over (order by min(first_line)), invoice_no, min(first_line), case
         when min(bad_line) is not null then 'line ' || min(bad_line) || ' of the same invoice was refused'
         when count(distinct customer_code) > 1 then 'the lines of this invoice name different customers'
       end
       from sales.import_fragment where session_id = $1 group by invoice_no`,
      [sessionId],
    );
  }

  /** For NDJSON, where each line is an invoice of its own: a number that comes again is set aside, the first counts. */
  async setAsideRepeated(sessionId: string): Promise<Refusal[]> {
    const rows = await this.db.query<{ record: string; line: string; first: string }>(
      `delete from sales.import_fragment f
       using (select invoice_no, min(first_line) as first from sales.import_fragment where session_id = $1 group by invoice_no) k
       where f.session_id = $1 and f.invoice_no = k.invoice_no and f.first_line > k.first
       returning f.invoice_no as record, f.first_line as line, k.first`,
      [sessionId],
    );
    return rows.map(({ record, line, first }) => ({
      outcome: 'skipped',
      record,
      line: Number(line),
      reason: `the same number stands on line ${first} of this file; that one counts`,
    }));
  }

  /** The invoices with ordinals in `(after, upTo]` that are not refused, whole. */
  async whole(sessionId: string, after: number, upTo: number): Promise<WholeInvoice[]> {
    const rows = await this.db.query<{ fragments: [Fragment, ...Fragment[]] }>(
      `select json_agg(f.body order by f.first_line) as fragments
       from sales.import_invoice i
       join sales.import_fragment f on f.session_id = i.session_id and f.invoice_no = i.invoice_no
       where i.session_id = $1 and i.ordinal > $2 and i.ordinal <= $3 and i.refusal is null
       group by i.ordinal order by i.ordinal`,
      [sessionId, after, upTo],
    );
    return rows.map(({ fragments }) => wholeOf(fragments));
  }

  /** The refused among the invoices with ordinals in `(after, upTo]`: an outcome for each of their lines. */
  async refused(
    sessionId: string,
    after: number,
    upTo: number,
  ): Promise<{ failed: number; outcomes: Refusal[] }> {
    const rows = await this.db.query<{ record: string; line: string | null; reason: string }>(
      `select i.invoice_no as record, l.line, i.refusal as reason
       from sales.import_invoice i
       join sales.import_fragment f on f.session_id = i.session_id and f.invoice_no = i.invoice_no
       left join lateral (select value::text::bigint as line from json_array_elements(f.body -> 'lines')) l on true
       where i.session_id = $1 and i.ordinal > $2 and i.ordinal <= $3 and i.refusal is not null
       order by i.ordinal, l.line`,
      [sessionId, after, upTo],
    );
    const outcomes = rows.flatMap(({ record, line, reason }) =>
      line === null ? [] : [{ outcome: 'failed' as const, record, line: Number(line), reason }],
    );
    return { failed: new Set(rows.map((row) => row.record)).size, outcomes };
  }

  async remove(sessionId: string): Promise<void> {
    await this.db.execute('delete from sales.import_fragment where session_id = $1', [sessionId]);
    await this.db.execute('delete from sales.import_invoice where session_id = $1', [sessionId]);
  }
}
