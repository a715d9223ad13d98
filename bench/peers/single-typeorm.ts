import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { Decimal } from 'decimal.js';
import { DataSource, type EntityManager } from 'typeorm';
import type { InvoiceData } from '../invoice-data.js';
import { Customer, ENTITIES, IdempotencyAnswer, Invoice, OutboxRow, Salesman } from './entities.js';
import { readBody, sendJson, serve, setting } from './peer-server.js';

const IDENTITY = 'user:bench';

const source = await new DataSource({
  type: 'postgres',
  url: setting('DATABASE_URL'),
  poolSize: Number(setting('POOL_SIZE')),
  entities: ENTITIES,
}).initialize();

serve(async (request, response) => {
  const text = await readBody(request);
  const key = String(request.headers['idempotency-key']);
  const hash = createHash('sha256').update(text).digest('hex');
  const answer = await source.transaction((manager) =>
    once(manager, key, hash, () => importInvoice(manager, JSON.parse(text) as InvoiceData)),
  );
  sendJson(response, answer, 201);
});

async function once(
  manager: EntityManager,
  key: string,
  bodyHash: string,
  work: () => Promise<object>,
): Promise<string> {
  const known = await manager.findOneBy(IdempotencyAnswer, { identity: IDENTITY, key });
  if (known) return known.body;
  const body = JSON.stringify(await work());
  await manager.insert(IdempotencyAnswer, {
    identity: IDENTITY,
    key,
    operation: 'POST /',
    body_hash: bodyHash,
    status: 201,
    body,
  });
  return body;
}

/** Upserts of customer and salesman, the invoice with its lines by one `save`, and the row that tells of it. */
async function importInvoice(manager: EntityManager, data: InvoiceData): Promise<object> {
  const options = { skipUpdateIfNoValuesChanged: false };
  const customer = await manager.upsert(Customer, data.customer, { conflictPaths: ['code'], ...options });
  const salesman = await manager.upsert(Salesman, { name: data.salesman }, { conflictPaths: ['name'], ...options });
  const total = data.items.reduce(
    (sum, item) => sum.plus(new Decimal(item.quantity).times(item.mrp).toDecimalPlaces(2)),
    new Decimal(0),
  );
  const invoice = await manager.save(
    manager.create(Invoice, {
      invoice_no: data.invoice_no,
      invoice_date: data.invoice_date,
      customer: customer.identifiers[0],
      salesman: salesman.identifiers[0],
      total_amount: total.toFixed(2),
      items: data.items.map((item, index) => ({
        ...item,
        position: index + 1,
        quantity: String(item.quantity),
        mrp: String(item.mrp),
      })),
    }),
  );
  await manager.save(OutboxRow, {
    topic: 'sales.invoice',
    type: 'sales.invoice-imported.v1',
    aggregate_id: invoice.id,
    body: null,
  });
  return { success: true, data: { id: Number(invoice.id), invoice_no: invoice.invoice_no, total_amount: total } };
}
