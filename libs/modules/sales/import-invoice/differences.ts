import { Decimal } from 'decimal.js';
import type { FieldErrors } from '#platform/errors/app-error.js';
import type { InvoiceBody, InvoiceView } from '../invoice.dto.js';

/** The fields in which a re-sent invoice is not what is stored, by path. */
export function differences(sent: InvoiceBody, stored: InvoiceView): FieldErrors {
  const found: FieldErrors = {};
  const compare = (path: string, a: unknown, b: unknown) => {
    if (a !== b) found[path] = [`is ${show(b)} in the stored invoice, ${show(a)} in this request`];
  };
  compare('invoice_date', sent.invoice_date, stored.invoice_date);
  compare('salesman', sent.salesman?.trim() ?? null, stored.salesman?.name ?? null);
  compare('created_by', sent.created_by ?? null, stored.created_by);
  compare('remarks', sent.remarks ?? null, stored.remarks);
  for (const [field, value] of Object.entries(sent.customer)) {
    const known = stored.customer[field as keyof InvoiceView['customer']];
    const said = field === 'code' ? String(value).trim() : (value as string | null | undefined);
    if (said !== null && said !== undefined) compare(`customer.${field}`, said, known);
  }
  if (sent.items.length !== stored.items.length) {
    compare('items', `${sent.items.length} lines`, `${stored.items.length} lines`);
    return found;
  }
  sent.items.forEach((item, index) => {
    const line = stored.items[index];
    if (!line) return;
    for (const field of ['name', 'item_code', 'shelf_location', 'remarks'] as const) {
      compare(`items[${index}].${field}`, item[field] ?? '', line[field]);
    }
    for (const field of ['quantity', 'mrp'] as const) {
      if (!new Decimal(item[field]).eq(line[field]))
        compare(`items[${index}].${field}`, item[field], line[field]);
    }
  });
  return found;
}

const show = (value: unknown) => (value === null || value === '' ? 'empty' : JSON.stringify(value));
