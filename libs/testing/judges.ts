import type { Sql } from './product.js';

/** Judges say what is wrong in sentences; an empty list is acquittal. */

interface Extent extends Record<string, unknown> {
  stream: string;
  events: number;
  first: number;
  last: number;
  head: number;
}

/** Streams whose numbers are not 1..n, each once, up to their head. */
export async function gapsInStreams(sql: Sql): Promise<string[]> {
  const streams = await sql.rows<Extent>(
    `select h.stream, h.seq::int as head, count(e.seq)::int as events, coalesce(min(e.seq), 0)::int as first,
       coalesce(max(e.seq), 0)::int as last
     from platform.stream_head h left join platform.event e using (stream) group by h.stream, h.seq`,
  );
  return streams
    .filter((s) => s.first !== 1 || s.last !== s.head || s.events !== s.head)
    .map(
      (s) => `stream ${s.stream}: ${s.events} events numbered ${s.first}..${s.last}, its head is ${s.head}`,
    );
}

/** Invoices that were not told of exactly once as imported, and tellings of invoices that are not there. */
export async function importsNotToldOnce(sql: Sql): Promise<string[]> {
  const rows = await sql.rows<{ invoice_no: string; told: number }>(
    `with told as (
       select (body::jsonb ->> 'id')::bigint as id, min(body::jsonb ->> 'invoice_no') as no, count(*)::int as n
       from platform.event where stream = 'sales-invoices' and body::jsonb ->> 'type' = 'invoice_imported'
       group by 1)
     select coalesce(i.invoice_no, t.no) as invoice_no, coalesce(t.n, 0) as told
     from sales.invoice i full join told t using (id)
     where i.id is null or coalesce(t.n, 0) <> 1 limit 12`,
  );
  return rows.map(({ invoice_no, told }) => `${invoice_no} was told as imported ${told} times`);
}

/** True when the sequencer has nothing left to do. */
export async function outboxIsEmpty(sql: Sql): Promise<boolean> {
  return (await sql.number('select count(*) from platform.outbox')) === 0;
}

interface SessionEvent extends Record<string, unknown> {
  seq: number;
  last: boolean;
  state: string;
  progress: number | null;
  processed: number;
}

/** A session's own stream: numbered without gaps, nothing falls, one terminal event and that at the end. */
export async function faultsOfSessionStream(sql: Sql, id: string): Promise<string[]> {
  const events = await sql.rows<SessionEvent>(
    `select seq::int, last, body::jsonb ->> 'state' as state, (body::jsonb ->> 'progress')::float8 as progress,
       (body::jsonb ->> 'processed')::int as processed
     from platform.event where stream = $1 order by seq`,
    [`session-${id}`],
  );
  const found: string[] = [];
  let progress = 0;
  let processed = 0;
  events.forEach((event, index) => {
    if (event.seq !== index + 1) found.push(`event ${index + 1} of the session has number ${event.seq}`);
    if ((event.progress ?? progress) < progress)
      found.push(`progress fell from ${progress} to ${event.progress}`);
    if (event.processed < processed) found.push(`processed fell from ${processed} to ${event.processed}`);
    if (event.last && index !== events.length - 1)
      found.push(`event ${event.seq} is terminal and not the last`);
    progress = event.progress ?? progress;
    processed = event.processed;
  });
  const terminal = events.filter((event) => event.last);
  if (terminal.length !== 1) found.push(`the session has ${terminal.length} terminal events`);
  return found;
}

interface SessionRow extends Record<string, unknown> {
  state: string;
  total: number | null;
  processed: number;
  created: number;
  unchanged: number;
  skipped: number;
  failed: number;
  conflicts: number;
}

/** A finished import: counters that add up, an outcome for each created invoice, nothing left lying about. */
export async function faultsOfImport(sql: Sql, id: string, created: number): Promise<string[]> {
  const s = await sql.row<SessionRow>(
    `select state, total::int, processed::int, created::int, unchanged::int, skipped::int, failed::int, conflicts::int
     from platform.session where id = $1`,
    [id],
  );
  const found = await faultsOfSessionStream(sql, id);
  if (s.state !== 'completed') found.push(`the session is ${s.state}`);
  if (s.processed !== s.total) found.push(`processed ${s.processed} of ${s.total}`);
  const sum = s.created + s.unchanged + s.skipped + s.failed + s.conflicts;
  if (sum !== s.processed)
    found.push(`the counters add up to ${sum}, processed is ${s.processed}: ${JSON.stringify(s)}`);
  if (s.created !== created) found.push(`created ${s.created}, must be ${created}`);
  const outcomes = await sql.row<{ rows: number; records: number }>(
    `select count(*)::int as rows, count(distinct record)::int as records from platform.session_outcome
     where session_id = $1 and outcome = 'created'`,
    [id],
  );
  if (outcomes.rows !== created || outcomes.records !== created)
    found.push(`${outcomes.rows} created outcomes of ${outcomes.records} invoices, must be ${created}`);
  return [...found, ...(await leftovers(sql, id))];
}

/** What only a running import needs. */
export async function leftovers(sql: Sql, id: string): Promise<string[]> {
  const row = await sql.row<Record<string, number>>(
    `select (select count(*) from sales.import_fragment where session_id = $1)::int as staged_lines,
       (select count(*) from sales.import_invoice where session_id = $1)::int as staged_invoices,
       (select count(*) from sales.import_file where session_id = $1)::int as files,
       (select count(*) from sales.import_chunk c where not exists (
          select from platform.session s join sales.import_file f on f.session_id = s.id
          where f.id = c.file_id and s.finished_at is null))::int as chunks`,
    [id],
  );
  return Object.entries(row).flatMap(([what, count]) => (count > 0 ? [`${count} ${what} were left`] : []));
}

/** The state a session is in now. */
export async function stateOf(sql: Sql, id: string): Promise<string> {
  return (await sql.row<{ state: string }>('select state from platform.session where id = $1', [id])).state;
}

export const isOver = async (sql: Sql, id: string): Promise<boolean> =>
  !['initiated', 'in_progress', 'cancelling'].includes(await stateOf(sql, id));
