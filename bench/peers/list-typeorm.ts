import 'reflect-metadata';
import { DataSource, type FindManyOptions, IsNull } from 'typeorm';
import { ENTITIES, Invoice } from './entities.js';
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
  order: { id: 'DESC' },
  take: 20,
};

serve(async (request, response) => {
  if (request.url === '/find-and-count') {
    const [results, count] = await invoices.findAndCount(PAGE);
    sendJson(response, JSON.stringify({ count, results }));
  } else {
    sendJson(response, JSON.stringify({ results: await invoices.find(PAGE) }));
  }
});
