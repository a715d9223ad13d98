import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, MaxLength } from 'class-validator';
import { Config } from '#platform/config/config.js';
import { AppError, invalid } from '#platform/errors/app-error.js';
import { decodeCursor, encodeCursor, refusingForgedCursor } from '#platform/http/keyset.js';
import { IsRealDate } from '#platform/http/real-date.js';
import { Database } from '#platform/persistence/database.js';
import { InvoiceView } from '../invoice.dto.js';

const LIST = 'sales.invoices';
const MAX_PAGE_SIZE = 100;
const LAST_ID = '9223372036854775807';
/** OFFSET is an integer in PostgreSQL; nobody has more pages. */
const MAX_PAGE = 1_000_000;

/** Newest first. Pages by number, or by cursor, which stays fast at any depth. */
export class ListInvoicesQuery {
  /** From 1. Past the end: 404. */
  @IsOptional() @Type(() => Number) @IsInt() page?: number;
  /** At most 100. */
  @IsOptional() @Type(() => Number) @IsInt() page_size?: number;
  /** `next_cursor` of the page before, however that one was reached. */
  @IsOptional() @IsString() @MaxLength(500) cursor?: string;
  /** The exact number. */
  @IsOptional() @IsString() @MaxLength(64) invoice_no?: string;
  /** Code or a part of the name. */
  @IsOptional() @IsString() @MaxLength(200) customer?: string;
  /** A part of the name. */
  @IsOptional() @IsString() @MaxLength(120) salesman?: string;
  /** First day, inclusive. */
  @IsOptional() @IsRealDate() date_from?: string;
  /** Last day, inclusive. */
  @IsOptional() @IsRealDate() date_to?: string;
  /** A part of the invoice number or of the customer's name or code. */
  @IsOptional() @IsString() @MaxLength(200) q?: string;
  /** The same as `q`. */
  @IsOptional() @IsString() @MaxLength(200) search?: string;
}

export class InvoicePage {
  /**
   * How many there are: exact; null when paging by cursor.
   * @example 150
   */
  count: number | null;
  /** @example http://localhost:3001/api/sales/invoices/?page=2 */
  next: string | null;
  previous: string | null;
  /** Goes on from here by `?cursor=`. */
  next_cursor: string | null;
  results: InvoiceView[];
}

@QueryHandler(ListInvoicesQuery)
export class ListInvoicesHandler implements IQueryHandler<ListInvoicesQuery, string> {
  constructor(
    private readonly db: Database,
    private readonly config: Config,
  ) {}

  /** @returns the page as JSON text: the invoices come out of PostgreSQL as text and are not parsed on the way */
  async execute(query: ListInvoicesQuery): Promise<string> {
    const { page, size } = checked(query);
    const filter = new Filter(query);
    const after = query.cursor === undefined ? null : (decodeCursor(LIST, query.cursor, 1)[0] ?? null);
    const offset = after === null ? (page - 1) * size : 0;
    // One round trip: the count comes with each row, and is asked for alone only when there is no row.
    const counted = after === null ? filter.countSql(3) : 'null';
    const params = [after ?? LAST_ID, size + 1, ...filter.params, ...(offset > 0 ? [offset] : [])];
    const rows = await refusingForgedCursor(query.cursor, () =>
      this.db.prepared<{ id: string; body: string; count: string | null }>(
        `sales.list.${filter.shape}.${after !== null ? 'cursor' : offset > 0 ? 'page' : 'first'}`,
        `select p.id, d.body::text as body, (${counted})::text as count
         from (${offset > 0 ? pageByOffset(filter, params.length) : pageByKey(filter)}) p
         join sales.invoice_document d on d.id = p.id
         order by p.id desc`,
        params,
      ),
    );
    const count = after === null ? Number(rows[0]?.count ?? (page > 1 ? await this.count(filter) : 0)) : null;
    if (rows.length === 0 && page > 1) {
      throw new AppError(
        404,
        'sales.page_past_end',
        `There is no page ${page}; there are ${count ?? 0} invoices in all`,
      );
    }
    return this.render(query, { page, size, count, after }, rows);
  }

  private async count(filter: Filter): Promise<string> {
    const [row] = await this.db.prepared<{ n: string }>(
      `sales.count.${filter.shape}`,
      `select (${filter.countSql(1)})::text as n`,
      filter.params,
    );
    return row?.n ?? '0';
  }

  private render(
    query: ListInvoicesQuery,
    at: { page: number; size: number; count: number | null; after: string | null },
    rows: { id: string; body: string }[],
  ): string {
    const more = rows.length > at.size;
    const shown = more ? rows.slice(0, at.size) : rows;
    const last = shown.at(-1);
    const cursor = more && last ? encodeCursor(LIST, last.id) : null;
    const link = (change: Record<string, string>) => {
      const { page: _page, cursor: _cursor, ...kept } = query;
      const params = new URLSearchParams({ ...change, ...definedOnly(kept) });
      return `${this.config.publicUrl}/api/sales/invoices/?${params.toString()}`;
    };
    const byCursor = at.after !== null;
    const next = !more
      ? null
      : byCursor
        ? link({ cursor: cursor ?? '' })
        : link({ page: String(at.page + 1) });
    const previous = byCursor || at.page === 1 ? null : link({ page: String(at.page - 1) });
    const head = JSON.stringify({ count: at.count, next, previous, next_cursor: cursor });
    return `${head.slice(0, -1)},"results":[${shown.map((row) => row.body).join(',')}]}`;
  }
}

/**
 * The inner limit is a constant: with a parameter alone PostgreSQL expects a tenth of the table, holds the general
 * plan for dear, and plans every request anew, which costs as much as the request.
 */
const pageByKey = (filter: Filter) =>
  `select k.id from (select i.id from sales.invoice i where i.deleted_at is null and i.id < $1 ${filter.sql(3)}
                     order by i.id desc limit ${MAX_PAGE_SIZE + 1}) k limit $2`;

const pageByOffset = (filter: Filter, offset: number) =>
  `select i.id from sales.invoice i where i.deleted_at is null and i.id < $1 ${filter.sql(3)}
   order by i.id desc limit $2 offset $${offset}`;

function checked({ page = 1, page_size: size = 20, ...query }: ListInvoicesQuery): {
  page: number;
  size: number;
} {
  if (page < 1 || page > MAX_PAGE) throw invalid({ page: [`must be from 1 to ${MAX_PAGE}`] });
  if (size < 1 || size > MAX_PAGE_SIZE) throw invalid({ page_size: [`must be from 1 to ${MAX_PAGE_SIZE}`] });
  if (query.cursor !== undefined && page !== 1) throw invalid({ page: ['goes not together with cursor'] });
  return { page, size };
}

const definedOnly = (values: object): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]])),
  );

/** The filters in use: SQL made of constants only, values as parameters. */
class Filter {
  readonly params: string[] = [];
  readonly shape: string;
  private readonly parts: ((n: number) => string)[] = [];

  constructor(query: ListInvoicesQuery) {
    const shape: string[] = [];
    const add = (name: string, value: string | undefined, sql: (n: number) => string) => {
      // A form sends empty fields for filters that were not filled in.
      if (!value) return;
      shape.push(name);
      this.params.push(value);
      this.parts.push(sql);
    };
    const contains = (value: string | undefined) => value && `%${value.replace(/[\\%_]/g, '\\$&')}%`;
    add('no', query.invoice_no, (n) => `i.invoice_no = $${n}`);
    add(
      'customer',
      query.customer,
      (n) => `i.customer_id in (select id from sales.customer
      where code = $${n} or name ilike '%' || replace(replace(replace($${n}, '\\', '\\\\'), '%', '\\%'), '_', '\\_') || '%')`,
    );
    add(
      'salesman',
      contains(query.salesman),
      (n) => `i.salesman_id in (select id from sales.salesman where name ilike $${n})`,
    );
    add('from', query.date_from, (n) => `i.invoice_date >= $${n}::date`);
    add('to', query.date_to, (n) => `i.invoice_date <= $${n}::date`);
    add(
      'q',
      contains(query.q ?? query.search),
      (n) => `(i.invoice_no ilike $${n} or i.customer_id in
      (select id from sales.customer where name ilike $${n} or code ilike $${n}))`,
    );
    this.shape = shape.join('+') || 'all';
  }

  /** Of all invoices from the maintained counter, otherwise counted. */
  countSql(first: number): string {
    if (this.params.length === 0) return 'select sum(n) from sales.invoice_count';
    return `select count(*) from sales.invoice i where i.deleted_at is null ${this.sql(first)}`;
  }

  /** `and ...` with parameters numbered from `first`. */
  sql(first: number): string {
    return this.parts.map((part, index) => `and ${part(first + index)}`).join(' ');
  }
}
