import 'reflect-metadata';
import { DataSource, type FindManyOptions, IsNull } from 'typeorm';
import { type Customer, ENTITIES, Invoice } from './entities.js';
import { sendJson, serve, setting } from './peer-server.js';

const source = await new DataSource({
  type: 'postgres',
  url: setting('DATABASE_URL'),
  poolSize: Number(setting('POOL_SIZE')),
  entities: ENTITIES,
}).initialize();
const invoices = source.getRepository(Invoice);
const PAGE: FindManyOptions<Invoice> = {
  where: { deleted_at: IsNull() },
  relations: { customer: true, salesman: true, items: true },
  // Ordering the lines here too would make TypeORM count lines, not invoices, to the twenty.
  order: { id: 'DESC' },
  take: 20,
};

serve(async (request, response) => {
  if (request.url === '/find-and-count') {
    const [results, count] = await invoices.findAndCount(PAGE);
    sendJson(response, JSON.stringify({ count, results: results.map(shown) }));
  } else {
    const results = await invoices.find(PAGE);
    sendJson(response, JSON.stringify({ results: results.map(shown) }));
  }
});

/** As the product answers. */
function shown(invoice: Invoice): object {
  const { id, invoice_no, invoice_date, customer, salesman, created_by, items, remarks } = invoice;
  return {
    id: Number(id),
    invoice_no,
    invoice_date,
    customer: shownCustomer(customer),
    salesman: salesman && { id: Number(salesman.id), name: salesman.name, phone: salesman.phone },
    created_by,
    items: items
      .sort((a, b) => a.position - b.position)
      .map((item) => ({
        id: Number(item.id),
        name: item.name,
        item_code: item.item_code,
        quantity: Number(item.quantity),
        mrp: Number(item.mrp),
        shelf_location: item.shelf_location,
        remarks: item.remarks,
      })),
    total_amount: Number(invoice.total_amount),
    remarks,
    created_at: invoice.created_at.toISOString(),
  };
}

const shownCustomer = (customer: Customer): object => ({
  code: customer.code,
  name: customer.name ?? '',
  area: customer.area ?? '',
  address1: customer.address1 ?? '',
  address2: customer.address2 ?? '',
  phone1: customer.phone1 ?? '',
  phone2: customer.phone2 ?? '',
  email: customer.email ?? '',
});
