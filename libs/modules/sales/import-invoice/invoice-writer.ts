import { Injectable } from '@nestjs/common';
import { currentContext } from '#platform/observability/request-context.js';
import { Database } from '#platform/persistence/database.js';
import { Outbox } from '#platform/streams/outbox.js';
import { type WholeInvoice, isTooLarge } from './fragment.js';

/** What became of one invoice. */
export interface Written {
  invoice_no: string;
  first_line: number;
  /** `unknown`: another program wrote the stored one, so nobody knows what was sent. */
  result: 'created' | 'same' | 'different' | 'unknown' | 'deleted' | 'too_large';
  id: string | null;
  total_amount: string | null;
}

/** Customers and salesmen as the invoices before named them, so that a file says each thing once. */
export type SaidBefore = Set<string>;
const MOST_SAID = 20_000;

/**
 * Stores whole invoices, a single one or a page of a file by the same statements. Must run in a transaction.
 * An invoice number that exists is never touched: the caller learns whether its content is the same.
 */
@Injectable()
export class InvoiceWriter {
  constructor(
    private readonly db: Database,
    private readonly outbox: Outbox,
  ) {}

  /** One invoice. Mostly its customer and salesman are known, so it is tried without writing them. */
  async write(invoice: WholeInvoice): Promise<Written> {
    const add = async (parties: Parties) => {
      const rows = await this.db.prepared<Added>(`sales.write.${parties}`, WRITE[parties], lines([invoice]));
      return ids(rows);
    };
    let added = await add('as known');
    let known = await this.stored([invoice], added);
    if (added.size === 0 && known.size === 0 && !isTooLarge(invoice.total)) {
      await this.db.prepared('sales.parties', PARTIES, parties([invoice]));
      added = await add('by key');
      // Another import of the same number may have committed between.
      known = await this.stored([invoice], added);
    }
    this.outbox.announce();
    return written(invoice, added, known);
  }

  /**
   * A page of a file. Not prepared: its plan depends on how many invoices it has.
   * @param invoices with different numbers, in the order of their first lines
   */
  async writePage(invoices: readonly WholeInvoice[], said: SaidBefore): Promise<Written[]> {
    if (invoices.length === 0) return [];
    const news = invoices.filter((invoice) => !said.has(partiesOf(invoice)));
    const added = await this.addPage(invoices, news);
    const known = await this.stored(invoices, added);
    this.db.afterCommit(() => {
      if (said.size > MOST_SAID) said.clear();
      for (const invoice of news) if (added.has(invoice.invoice_no)) said.add(partiesOf(invoice));
    });
    this.outbox.announce();
    return invoices.map((invoice) => written(invoice, added, known));
  }

  private async addPage(
    invoices: readonly WholeInvoice[],
    news: readonly WholeInvoice[],
  ): Promise<Map<string, string>> {
    // Both are sent before the first is answered.
    const told = news.length > 0 ? this.db.query(PARTIES, parties(news)) : undefined;
    const [rows] = await Promise.all([this.db.query<Added>(WRITE['by key'], lines(invoices)), told]);
    return ids(rows);
  }

  /** A new statement, so that invoices which another transaction committed meanwhile are seen. */
  private async stored(
    invoices: readonly WholeInvoice[],
    added: ReadonlyMap<string, string>,
  ): Promise<Map<string, Stored>> {
    const numbers = invoices.map((invoice) => invoice.invoice_no).filter((no) => !added.has(no));
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

interface Added extends Record<string, unknown> {
  invoice_no: string;
  id: string;
}

interface Stored {
  id: string;
  total_amount: string;
  hash: string | null;
  deleted: boolean;
}

const ids = (rows: Added[]) => new Map(rows.map((row) => [row.invoice_no, row.id]));

function written(
  { invoice_no, first_line, total, hash }: WholeInvoice,
  added: ReadonlyMap<string, string>,
  known: ReadonlyMap<string, Stored>,
): Written {
  const id = added.get(invoice_no);
  if (id !== undefined) return { invoice_no, first_line, result: 'created', id, total_amount: total };
  const stored = known.get(invoice_no);
  if (!stored) {
    if (!isTooLarge(total)) throw new Error(`invoice ${invoice_no} was neither added nor found`);
    return { invoice_no, first_line, result: 'too_large', id: null, total_amount: null };
  }
  const result = stored.deleted
    ? 'deleted'
    : stored.hash === null
      ? 'unknown'
      : stored.hash === hash
        ? 'same'
        : 'different';
  return { invoice_no, first_line, result, id: stored.id, total_amount: stored.total_amount };
}

const PARTY_FIELDS = ['name', 'area', 'address1', 'address2', 'phone1', 'phone2', 'email'] as const;
const PARTY_COLUMNS = [
  'customer_code',
  ...PARTY_FIELDS.map((f) => `customer_${f}` as const),
  'salesman',
] as const;

const partiesOf = (invoice: WholeInvoice) => JSON.stringify(PARTY_COLUMNS.map((column) => invoice[column]));

/** A column of each, as an array parameter. */
const column = <Field extends keyof WholeInvoice>(invoices: readonly WholeInvoice[], field: Field) =>
  invoices.map((invoice) => invoice[field]);

/** Parameters of {@link PARTIES}. */
const parties = (invoices: readonly WholeInvoice[]): unknown[] =>
  (['invoice_no', ...PARTY_COLUMNS] as const).map((field) => column(invoices, field));

/**
 * Customers and salesmen that are new or say something new, of invoices that are not stored yet: an old invoice that
 * comes again must not bring an old name back. In order of their keys, so that two imports never deadlock.
 */
const PARTIES = `
with given as materialized (
  select * from unnest(${PARTY_COLUMNS.map((_, i) => `$${i + 2}::text[]`).join(', ')}, $1::text[])
    with ordinality as f (${PARTY_COLUMNS.join(', ')}, invoice_no, no)
  where not exists (select from sales.invoice k where k.invoice_no = f.invoice_no)),
customer as (
  select customer_code as code, ${PARTY_FIELDS.map(
    (f) => `(array_agg(customer_${f} order by no desc) filter (where customer_${f} is not null))[1] as ${f}`,
  ).join(', ')}
  from given where customer_code is not null group by customer_code),
customers as (
  insert into sales.customer as c (code, ${PARTY_FIELDS.join(', ')})
  select code, ${PARTY_FIELDS.join(', ')} from customer n
  where not exists (select from sales.customer k where k.code = n.code
                    and ${PARTY_FIELDS.map((f) => `(n.${f} is null or n.${f} = k.${f})`).join(' and ')})
  order by code
  on conflict (code) do update set ${PARTY_FIELDS.map((f) => `${f} = coalesce(excluded.${f}, c.${f})`).join(', ')}),
salesmen as (
  insert into sales.salesman (name)
  select distinct salesman from given f where salesman is not null
    and not exists (select from sales.salesman s where s.name = f.salesman)
  order by salesman
  on conflict (name) do nothing)
select 1`;

/** The customer is stored with all that is said of it, and so is the salesman. */
const AS_KNOWN = `and (f.salesman is null or s.id is not null)
    and ${PARTY_FIELDS.map((f) => `(f.customer_${f} is null or f.customer_${f} = c.${f})`).join(' and ')}`;

/**
 * `as known` leaves out invoices whose customer or salesman must be written first, which for a single import is rare
 * and saves it a statement.
 */
type Parties = 'as known' | 'by key';

const HEAD = [
  'invoice_no',
  ...PARTY_COLUMNS,
  'created_by',
  'remarks',
  'hash',
  'invoice_date',
  'total',
] as const;
const LINE = {
  name: 'names',
  item_code: 'item_codes',
  shelf_location: 'shelf_locations',
  remarks: 'item_remarks',
  quantity: 'quantities',
  mrp: 'mrps',
} as const;
const LINE_COLUMNS = Object.keys(LINE);

/** Parameters of {@link WRITE}: who, the heads by column, and all lines by column with the place of their head. */
function lines(invoices: readonly WholeInvoice[]): unknown[] {
  const { actor } = currentContext();
  return [
    `${actor.kind}:${actor.id ?? ''}`,
    ...HEAD.map((field) => column(invoices, field)),
    invoices.flatMap((invoice, index) => invoice.names.map(() => index + 1)),
    invoices.flatMap((invoice) => invoice.names.map((_, index) => index + 1)),
    ...Object.values(LINE).map((field) => invoices.flatMap((invoice) => invoice[field])),
  ];
}

const arrays = (first: number, types: readonly string[]) =>
  types.map((type, index) => `$${first + index}::${type}[]`).join(', ');
const texts = (n: number) => Array<string>(n).fill('text');

const writeSql = (parties: Parties) => `
with given as materialized (
  select * from unnest(${arrays(2, [...texts(HEAD.length - 2), 'date', 'numeric'])})
    with ordinality as f (${HEAD.join(', ')}, no)),
added as (
  insert into sales.invoice (invoice_no, invoice_date, customer_id, salesman_id, created_by, created_user, remarks,
                             total_amount, content_hash)
  select f.invoice_no, f.invoice_date, c.id, s.id, f.created_by, $1, f.remarks, f.total, decode(f.hash, 'hex')
  from given f
  join sales.customer c on c.code = f.customer_code
  left join sales.salesman s on s.name = f.salesman
  where abs(f.total) < 1e13 ${parties === 'as known' ? AS_KNOWN : ''}
  order by f.no
  on conflict (invoice_no) do nothing
  returning id, invoice_no),
items as (
  insert into sales.invoice_item (invoice_id, position, ${LINE_COLUMNS.join(', ')})
  select a.id, l.position, ${LINE_COLUMNS.map((name) => `l.${name}`).join(', ')}
  from unnest(${arrays(HEAD.length + 2, ['integer', 'integer', ...texts(4), 'numeric', 'numeric'])})
    as l (no, position, ${LINE_COLUMNS.join(', ')})
  join given f using (no) join added a using (invoice_no)
  order by l.no, l.position)
select invoice_no, id from added`;

const WRITE: Record<Parties, string> = { 'as known': writeSql('as known'), 'by key': writeSql('by key') };
