import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { notFound } from '#platform/errors/app-error.js';
import { Database } from '#platform/persistence/database.js';

/** One invoice that is not deleted. */
export class GetInvoiceQuery {
  constructor(readonly id: string) {}
}

export interface InvoiceDocument {
  version: number;
  /** JSON text of an InvoiceView. */
  body: string;
}

@QueryHandler(GetInvoiceQuery)
export class GetInvoiceHandler implements IQueryHandler<GetInvoiceQuery, InvoiceDocument> {
  constructor(private readonly db: Database) {}

  execute({ id }: GetInvoiceQuery): Promise<InvoiceDocument> {
    return readInvoice(this.db, id);
  }
}

/** @throws 404 for an unknown or deleted one */
export async function readInvoice(db: Database, id: string): Promise<InvoiceDocument> {
  const [row] = await db.prepared<InvoiceDocument & Record<string, unknown>>(
    'sales.get',
    `select i.version, d.body::text as body from sales.invoice i join sales.invoice_document d using (id)
     where i.id = $1 and i.deleted_at is null`,
    [id],
  );
  if (!row) throw notFound('invoice', 'sales.invoice_not_found');
  return row;
}
