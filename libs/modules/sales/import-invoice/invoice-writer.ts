import { Injectable } from '@nestjs/common';
import { currentContext } from '#platform/observability/request-context.js';
import { Database } from '#platform/persistence/database.js';
import { Outbox } from '#platform/streams/outbox.js';
import { FRAGMENT_COLUMNS, type Fragment } from './fragment.js';

/** Where the writer reads fragments from: SQL that yields {@link FRAGMENT_COLUMNS}, with parameters from `$2` on. */
interface Source {
  name: string;
  sql: string;
  params: unknown[];
}

/** What became of one invoice. */
export interface Written {
  invoice_no: string;
  first_line: string;
  /** `unknown`: another program wrote the stored one, so nobody knows what was sent. */
  result: 'created' | 'same' | 'different' | 'unknown' | 'deleted' | 'too_large';
  id: string | null;
  total_amount: string | null;
}

/**
 * Stores whole invoices, a single one or a page of a file by the same two statements. Must run in a transaction.
 * An invoice number that exists is never touched: the caller learns whether its content is the same.
 */
@Injectable()
export class InvoiceWriter {
  constructor(
    private readonly db: Database,
    private readonly outbox: Outbox,
  ) {}

  /** One invoice. `json_to_record` is known to give one row, so the plan looks up and never scans. */
  write(fragment: Fragment): Promise<Written[]> {
    return this.run(
      {
        name: 'body',
        sql: `select * from json_to_record($2::json) as f (${FRAGMENT_COLUMNS})`,
        params: [JSON.stringify(fragment)],
      },
      false,
    );
  }

  /** The invoices of a staged file with ordinals in `(after, upTo]`. */
  writeStaged(sessionId: string, after: number, upTo: number): Promise<Written[]> {
    return this.run(
      {
        name: 'staged',
        sql: `select f.* from sales.import_invoice i
            join sales.import_fragment f on f.session_id = i.session_id and f.invoice_no = i.invoice_no
            where i.session_id = $2 and i.ordinal > $3 and i.ordinal <= $4 and i.refusal is null`,
        params: [sessionId, after, upTo],
      },
      true,
    );
  }

  private async run({ name, sql, params }: Source, expectNewParties: boolean): Promise<Written[]> {
    const { actor } = currentContext();
    const values = [`${actor.kind}:${actor.id ?? ''}`, ...params];
    const addParties = () => this.db.prepared(`sales.parties.${name}`, partiesSql(sql), values);
    const write = (parties: Parties) =>
      this.db.prepared<Incoming | Added>(`sales.write.${name}.${parties}`, writeSql(sql, parties), values);

    if (expectNewParties) await addParties();
    const rows = await write(expectNewParties ? 'by key' : 'as known');
    // Both halves come in one answer and are put together here: the planner cannot know how many were added.
    const incoming = rows.filter((row): row is Incoming => row.id === null);
    const added = new Map(
      rows.filter((row): row is Added => row.id !== null).map((row) => [row.invoice_no, row]),
    );
    const left = incoming.map((row) => row.invoice_no).filter((no) => !added.has(no));
    const known = await this.stored(left);
    if (!expectNewParties && left.some((no) => !known.has(no))) {
      // A customer or salesman is new, or something new is said of one.
      await addParties();
      for (const row of await write('by key')) if (row.id !== null) added.set(row.invoice_no, row);
      // Another import of the same number may have committed between.
      const others = left.filter((no) => !added.has(no) && !known.has(no));
      for (const [no, row] of await this.stored(others)) known.set(no, row);
    }
    this.outbox.announce();
    return incoming
      .map((row) => written(row, added.get(row.invoice_no), known.get(row.invoice_no)))
      .sort((a, b) => Number(a.first_line) - Number(b.first_line));
  }

  /** A new statement, so that invoices which another transaction committed meanwhile are seen. */
  private async stored(numbers: string[]): Promise<Map<string, Stored>> {
    if (numbers.length === 0) return new Map();
    const rows = await this.db.prepared<Stored & { invoice_no: string }>(
      'sales.stored',
      `select invoice_no, id, total_amount, encode(content_hash, 'hex') as hash, deleted_at is not null as deleted
       from sales.invoice where invoice_no = any($1)`,
      [numbers],
    );
    return new Map(rows.map((row) => [row.invoice_no, row]));
  }
}

interface Incoming {
  invoice_no: string;
  first_line: string;
  hash: string;
  id: null;
}

interface Added {
  invoice_no: string;
  id: string;
  total_amount: string;
}

interface Stored {
  id: string;
  total_amount: string;
  hash: string | null;
  deleted: boolean;
}

function written(
  { invoice_no, first_line, hash }: Incoming,
  added: Added | undefined,
  stored: Stored | undefined,
): Written {
  if (added)
    return { invoice_no, first_line, result: 'created', id: added.id, total_amount: added.total_amount };
  if (!stored) return { invoice_no, first_line, result: 'too_large', id: null, total_amount: null };
  const result = stored.deleted
    ? 'deleted'
    : stored.hash === null
      ? 'unknown'
      : stored.hash === hash
        ? 'same'
        : 'different';
  return { invoice_no, first_line, result, id: stored.id, total_amount: stored.total_amount };
}

const PARTY_FIELDS = ['name', 'area', 'address1', 'address2', 'phone1', 'phone2', 'email'];

/**
 * Customers and salesmen that are new or say something new, of invoices that are not stored yet: an old invoice that
 * comes again must not bring an old name back. In order of their keys, so that two imports never deadlock.
 */
const partiesSql = (source: string) => `
with fragment as materialized (
  select * from (${source}) f where not exists (select from sales.invoice k where k.invoice_no = f.invoice_no)),
customer as (
  select customer_code as code, ${PARTY_FIELDS.map(
    (f) =>
      `(array_agg(customer_${f} order by first_line desc) filter (where customer_${f} is not null))[1] as ${f}`,
  ).join(', ')}
  from fragment where customer_code is not null group by customer_code),
customers as (
  insert into sales.customer as c (code, ${PARTY_FIELDS.join(', ')})
  select code, ${PARTY_FIELDS.join(', ')} from customer n
  where not exists (select from sales.customer k where k.code = n.code
                    and ${PARTY_FIELDS.map((f) => `(n.${f} is null or n.${f} = k.${f})`).join(' and ')})
  order by code
  on conflict (code) do update set ${PARTY_FIELDS.map((f) => `${f} = coalesce(excluded.${f}, c.${f})`).join(', ')}),
salesmen as (
  insert into sales.salesman (name)
  select distinct salesman from fragment f where salesman is not null
    and not exists (select from sales.salesman s where s.name = f.salesman)
  order by salesman
  on conflict (name) do nothing)
select $1::text`;

/** A text in the hashed content with its length, so that nothing in it can pass for a border between fields. */
const framed = (column: string) => `coalesce(length(${column})::text, '-'), ':', ${column}`;

const LINES = 'f.names, f.item_codes, f.quantities, f.mrps, f.shelf_locations, f.item_remarks';
const LINE = 'name, item_code, quantity, mrp, shelf_location, remarks';
const HEAD = [
  'customer_code',
  ...PARTY_FIELDS.map((f) => `customer_${f}`),
  'salesman',
  'created_by',
  'remarks',
];

/** The customer is stored with all that is said of it, and so is the salesman. */
const AS_KNOWN = `and (i.salesman is null or s.id is not null)
    and ${PARTY_FIELDS.map((f) => `(i.customer_${f} is null or i.customer_${f} = c.${f})`).join(' and ')}`;

/**
 * `as known` leaves out invoices whose customer or salesman must be written first, which for a single import is rare
 * and saves it a statement.
 */
type Parties = 'as known' | 'by key';

/**
 * Everything about lines is done fragment by fragment, in the order of their arrays: no sort and no join of lines.
 * `base` is how many lines of the invoice stand in the fragments before.
 */
const writeSql = (source: string, parties: Parties) => `
with fragment as materialized (
  select f.*, t.amount, t.content,
    coalesce(sum(cardinality(f.names)) over (partition by f.invoice_no order by f.first_line
             rows between unbounded preceding and 1 preceding), 0)::int as base
  from (${source}) f
  cross join lateral (
    select sum(round(quantity * mrp, 2)) as amount,
      string_agg(concat(${['name', 'item_code', 'shelf_location', 'remarks'].map(framed).join(', ')}, quantity, ',', mrp), ';') as content
    from unnest(${LINES}) as l (${LINE})) t),
total as (
  select invoice_no, sum(amount) as amount, string_agg(content, ';' order by first_line) as content
  from fragment group by invoice_no),
incoming as materialized (
  select distinct on (f.invoice_no) f.*, t.amount as total,
    sha256(convert_to(concat(f.invoice_date, ',', ${HEAD.map((field) => framed(`f.${field}`)).join(', ')}, t.content), 'UTF8')) as hash
  from fragment f join total t using (invoice_no)
  order by f.invoice_no, f.first_line),
added as (
  insert into sales.invoice (invoice_no, invoice_date, customer_id, salesman_id, created_by, created_user, remarks,
                             total_amount, content_hash)
  select i.invoice_no, i.invoice_date, c.id, s.id, i.created_by, $1, i.remarks, i.total, i.hash
  from incoming i
  join sales.customer c on c.code = i.customer_code
  left join sales.salesman s on s.name = i.salesman
  where abs(i.total) < 1e13 ${parties === 'as known' ? AS_KNOWN : ''}
  order by i.first_line
  on conflict (invoice_no) do nothing
  returning id, invoice_no, total_amount),
items as (
  insert into sales.invoice_item (invoice_id, position, ${LINE})
  select f.id, f.base + l.n, ${LINE.split(', ')
    .map((column) => `l.${column}`)
    .join(', ')}
  from (select a.id, f.* from added a join fragment f using (invoice_no) order by a.id, f.first_line) f
  cross join lateral unnest(${LINES}) with ordinality as l (${LINE}, n))
select invoice_no, first_line, encode(hash, 'hex') as hash, null as id, null as total_amount from incoming
union all select invoice_no, null, null, id, total_amount from added`;
