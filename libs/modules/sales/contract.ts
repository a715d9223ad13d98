import { defineTopic } from '#platform/streams/topic.js';
import type { Database } from '#platform/persistence/database.js';

/**
 * `sales.invoice-imported.v1`, `-updated.v1` and `-deleted.v1`. The aggregate is the invoice's id; the body is
 * rendered after commit (the invoice as the API shows it and `type`), so it tells the present, not the past. A change
 * of a customer tells of the invoice that brought it, not of the customer's other invoices.
 */
export const INVOICE_TOPIC = defineTopic('sales.invoice', {
  stream: 'sales-invoices',
  render: 'sales.render_invoice_events',
});

export interface PublishedInvoice {
  id: string;
  version: number;
  deleted: boolean;
  /** The invoice as the API shows it. */
  document: unknown;
}

/** Every invoice by ascending id, deleted ones included: what a read model is rebuilt from. */
export function scanInvoices(db: Database, afterId: string, limit: number): Promise<PublishedInvoice[]> {
  return db.query<PublishedInvoice & Record<string, unknown>>(
    `select i.id, i.version, i.deleted_at is not null as deleted, d.body as document
     from (select * from sales.invoice where id > $1 order by id limit $2) i
     join sales.invoice_document d on d.id = i.id order by i.id`,
    [afterId, limit],
  );
}
