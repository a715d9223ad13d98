import pg from 'pg';
import { migrations } from '#migrations/data-source.js';
import { migrate } from '#migrations/migrate.js';
import { startApi } from '#testing/app.js';
import { type TestDatabase, createTestDatabase } from '#testing/database.js';

const made: TestDatabase[] = [];
afterAll(() => Promise.all(made.map((database) => database.drop())));

async function emptyDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase({ empty: true });
  made.push(database);
  return database;
}

async function query<Row extends pg.QueryResultRow>(database: TestDatabase, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

const applied = async (database: TestDatabase) =>
  (await query<{ name: string }>(database, 'select name from platform.migration order by id')).map(
    (row) => row.name,
  );
const all = migrations.map((migration) => migration.name);

it('run forward on an empty database, once each and in order', async () => {
  const database = await emptyDatabase();
  await migrate(database.url);
  expect(await applied(database)).toEqual(all);
  await migrate(database.url);
  expect(await applied(database)).toEqual(all);
});

it('make one schema a module, and nothing in public', async () => {
  const database = await emptyDatabase();
  await migrate(database.url);
  const tables = await query<{ place: string }>(
    database,
    `select distinct table_schema as place from information_schema.tables
     where table_schema not in ('pg_catalog', 'information_schema') order by 1`,
  );
  expect(tables.map((row) => row.place)).not.toContain('public');
  expect(tables.map((row) => row.place)).toEqual(expect.arrayContaining(['identity', 'platform', 'sales']));
  const crossing = await query<{ constraint: string }>(
    database,
    `select c.conname as constraint from pg_constraint c join pg_class a on a.oid = c.conrelid join pg_class b on b.oid = c.confrelid
     where c.contype = 'f' and a.relnamespace <> b.relnamespace`,
  );
  expect(crossing).toEqual([]);
});

it('four processes that start at once do it once', async () => {
  const database = await emptyDatabase();
  await Promise.all(Array.from({ length: 4 }, () => migrate(database.url)));
  expect(await applied(database)).toEqual(all);
});

it('go on from where an older version stopped', async () => {
  const database = await emptyDatabase();
  await migrate(database.url);
  await query(database, `drop schema sales cascade`);
  await query(database, `delete from platform.migration where name like 'Sales%'`);
  await query(database, `delete from platform.outbox`);
  await migrate(database.url);
  expect([...(await applied(database))].sort()).toEqual([...all].sort());
  expect(await query(database, 'select count(*)::int as n from sales.invoice')).toEqual([{ n: 0 }]);
});

it('refuse a schema that a newer version made, and change nothing', async () => {
  const database = await emptyDatabase();
  await migrate(database.url);
  await query(
    database,
    `insert into platform.migration (timestamp, name) values (9999999999999, 'SalesFromTheFuture9999999999999')`,
  );
  await query(
    database,
    `delete from platform.migration where name like 'Sales%' and timestamp < 9999999999999`,
  );
  await expect(migrate(database.url)).rejects.toThrow(
    /newer version of Instep.*SalesFromTheFuture9999999999999/,
  );
  expect(await applied(database)).not.toContain('SalesInvoices1763600002000');
});

it('leave a database that was migrated as good as the one that tests copy', async () => {
  const database = await emptyDatabase();
  await migrate(database.url);
  const api = await startApi({ database });
  const operator = await api.client('operator');
  expect((await operator.get('/api/sales/invoices')).status).toBe(200);
  await api.close();
});

it('write only what goes forward', async () => {
  for (const Migration of migrations)
    await expect(new Migration().down()).rejects.toThrow('only run forward');
});
