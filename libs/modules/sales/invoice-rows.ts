import { Injectable } from '@nestjs/common';
import { invalid, notFound } from '#platform/errors/app-error.js';
import { preconditionFailed } from '#platform/http/if-match.js';
import { Database, sqlState } from '#platform/persistence/database.js';
import { Outbox } from '#platform/streams/outbox.js';
import { TOTAL_LIMIT } from './import-invoice/fragment.js';
import type { CustomerBody, ItemBody } from './invoice.dto.js';

/** What an edit sets; null or absent leaves it as it is. */
export interface InvoiceChange {
  invoiceDate?: string | null;
  customerId?: string | null;
  salesman?: { id: string | null } | null;
  createdBy?: { label: string | null } | null;
  remarks?: { text: string | null } | null;
}

const NUMERIC_OVERFLOW = '22003';

/** Edits of stored invoices. Every method expects to run in a transaction that holds the invoice by {@link lock}. */
@Injectable()
export class InvoiceRows {
  constructor(
    private readonly db: Database,
    private readonly outbox: Outbox,
  ) {}

  /** @throws 404 for an unknown or deleted invoice, 412 when it is not at the expected version */
  async lock(id: string, version: string | null): Promise<void> {
    const row = await this.db.first<{ version: number }>(
      'select version from sales.invoice where id = $1 and deleted_at is null for update',
      [id],
    );
    if (!row) throw notFound('invoice', 'sales.invoice_not_found');
    if (version !== null && version !== String(row.version)) throw preconditionFailed();
  }

  /** The id of a customer, made or brought up to date with what is said. */
  async customer({ code, ...fields }: CustomerBody): Promise<string> {
    const row = await this.db.first<{ id: string }>(
      `insert into sales.customer as c (code, name, area, address1, address2, phone1, phone2, email)
       values ($1, $2, $3, $4, $5, $6, $7, $8)
       on conflict (code) do update set name = coalesce(excluded.name, c.name), area = coalesce(excluded.area, c.area),
         address1 = coalesce(excluded.address1, c.address1), address2 = coalesce(excluded.address2, c.address2),
         phone1 = coalesce(excluded.phone1, c.phone1), phone2 = coalesce(excluded.phone2, c.phone2),
         email = coalesce(excluded.email, c.email)
       returning id`,
      [
        code.trim(),
        ...(['name', 'area', 'address1', 'address2', 'phone1', 'phone2', 'email'] as const).map(
          (f) => fields[f] ?? null,
        ),
      ],
    );
    return row?.id ?? '';
  }

  async salesman(name: string): Promise<string> {
    const row = await this.db.first<{ id: string }>(
      `insert into sales.salesman (name) values ($1) on conflict (name) do update set name = excluded.name returning id`,
      [name.trim()],
    );
    return row?.id ?? '';
  }

  async appendItems(id: string, items: readonly ItemBody[]): Promise<void> {
    await this.putItems(
      id,
      items,
      '(select coalesce(max(position), 0) from sales.invoice_item where invoice_id = $1)',
    );
  }

  /** Lines keep their id where their position stays; those beyond the last are removed. */
  async replaceItems(id: string, items: readonly ItemBody[]): Promise<void> {
    await this.db.execute('delete from sales.invoice_item where invoice_id = $1 and position > $2', [
      id,
      items.length,
    ]);
    await this.putItems(id, items, '0');
  }

  /** Sets what changes, the total anew from the lines, and the version. */
  async update(id: string, change: InvoiceChange): Promise<void> {
    const row = await this.db
      .first<{ fits: boolean }>(
        `update sales.invoice i set invoice_date = coalesce($2::date, invoice_date), customer_id = coalesce($3, customer_id),
         salesman_id = case when $4 then $5 else salesman_id end, created_by = case when $6 then $7 else created_by end,
         remarks = case when $8 then $9 else remarks end, version = version + 1,
         total_amount = (select coalesce(sum(round(quantity * mrp, 2)), 0) from sales.invoice_item where invoice_id = i.id)
       where id = $1 returning abs(total_amount) < $10::numeric as fits`,
        [
          id,
          change.invoiceDate ?? null,
          change.customerId ?? null,
          Boolean(change.salesman),
          change.salesman?.id ?? null,
          Boolean(change.createdBy),
          change.createdBy?.label ?? null,
          Boolean(change.remarks),
          change.remarks?.text ?? null,
          TOTAL_LIMIT.toFixed(),
        ],
      )
      .catch(refuseOverflow);
    if (!row?.fits) refuseOverflow({ code: NUMERIC_OVERFLOW });
    this.outbox.announce();
  }

  private async putItems(id: string, items: readonly ItemBody[], base: string): Promise<void> {
    await this.db.execute(
      `insert into sales.invoice_item (invoice_id, position, name, item_code, quantity, mrp, shelf_location, remarks)
       select $1, ${base} + n, name, item_code, quantity, mrp, shelf_location, remarks
       from unnest($2::text[], $3::text[], $4::numeric[], $5::numeric[], $6::text[], $7::text[])
         with ordinality as l (name, item_code, quantity, mrp, shelf_location, remarks, n)
       on conflict (invoice_id, position) do update set name = excluded.name, item_code = excluded.item_code,
         quantity = excluded.quantity, mrp = excluded.mrp, shelf_location = excluded.shelf_location, remarks = excluded.remarks`,
      [
        id,
        items.map((item) => item.name),
        items.map((item) => item.item_code ?? ''),
        items.map((item) => String(item.quantity)),
        items.map((item) => String(item.mrp)),
        items.map((item) => item.shelf_location ?? ''),
        items.map((item) => item.remarks ?? ''),
      ],
    );
  }
}

function refuseOverflow(error: unknown): never {
  if (sqlState(error) === NUMERIC_OVERFLOW) throw invalid({ items: ['add up to a total that is too large'] });
  throw error;
}
