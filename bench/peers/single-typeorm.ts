import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { Decimal } from 'decimal.js';
import { DataSource, type EntityManager } from 'typeorm';
import type { InvoiceData } from '../invoice-data.js';
import { Customer, ENTITIES, IdempotencyAnswer, Invoice, OutboxRow, Salesman } from './entities.js';
import { readBody, sendJson, serve, setting } from './peer-server.js';

const IDENTITY = 'user:bench';
/** `save`: everything by that one method, as most write it. `tuned`: upserts and inserts where TypeORM has them. */
const tuned = setting('STYLE') === 'tuned';

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
  const row = { identity: IDENTITY, key, operation: 'POST /', body_hash: bodyHash, status: 201, body };
  if (tuned) await manager.insert(IdempotencyAnswer, row);
  else await manager.save(IdempotencyAnswer, row);
  return body;
}

/** Customer and salesman made or brought up to date, the invoice with its lines, and the row that tells of it. */
async function importInvoice(manager: EntityManager, data: InvoiceData): Promise<object> {
  const customer = tuned ? await upserted(manager, data) : await saved(manager, data);
  const total = data.items.reduce(
    (sum, item) => sum.plus(new Decimal(item.quantity).times(item.mrp).toDecimalPlaces(2)),
    new Decimal(0),
  );
  const invoice = await manager.save(
    manager.create(Invoice, {
      invoice_no: data.invoice_no,
      invoice_date: data.invoice_date,
      ...customer,
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
  return {
    success: true,
    data: { id: Number(invoice.id), invoice_no: invoice.invoice_no, total_amount: total },
  };
}

interface Parties {
  customer: { id: string };
  salesman: { id: string };
}

async function saved(manager: EntityManager, data: InvoiceData): Promise<Parties> {
  const { customer, salesman: name } = data;
  const knownCustomer = await manager.findOneBy(Customer, { code: customer.code });
  const knownSalesman = await manager.findOneBy(Salesman, { name });
  return {
    customer: await manager.save(Customer, { ...knownCustomer, ...customer }),
    salesman: await manager.save(Salesman, { ...knownSalesman, name }),
  };
}

async function upserted(manager: EntityManager, data: InvoiceData): Promise<Parties> {
  const customer = await manager.upsert(Customer, data.customer, ['code']);
  const salesman = await manager.upsert(Salesman, { name: data.salesman }, ['name']);
  return {
    customer: customer.identifiers[0] as { id: string },
    salesman: salesman.identifiers[0] as { id: string },
  };
}
