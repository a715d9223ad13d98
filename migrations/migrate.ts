import 'reflect-metadata';
import { Client } from 'pg';
import { DataSource } from 'typeorm';
import { LOCKS } from '#platform/persistence/locks.js';
import { migrations } from './data-source.js';

/**
 * Brings the schema forward to this build; safe to call from several processes at once.
 * @throws when the database was already moved on by a newer build: running against it could harm it.
 */
export async function migrate(databaseUrl: string): Promise<void> {
  const lock = new Client({ connectionString: databaseUrl, application_name: 'instep-migrate' });
  await lock.connect();
  try {
    await lock.query('select pg_advisory_lock($1)', [LOCKS.migrate]);
    await lock.query('create schema if not exists platform');
    const source = await new DataSource({
      type: 'postgres',
      url: databaseUrl,
      migrations,
      schema: 'platform',
      migrationsTableName: 'migration',
      migrationsTransactionMode: 'each',
    }).initialize();
    try {
      await refuseNewerSchema(lock);
      await source.runMigrations();
    } finally {
      await source.destroy();
    }
  } finally {
    await lock.end();
  }
}

async function refuseNewerSchema(client: Client): Promise<void> {
  const exists = await client.query<{ name: string | null }>(
    `select to_regclass('platform.migration')::text as name`,
  );
  if (!exists.rows[0]?.name) return;
  const applied = await client.query<{ name: string }>('select name from platform.migration');
  const known = new Set(migrations.map((migration) => migration.name));
  const unknown = applied.rows.map((row) => row.name).filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new Error(
      `The database was made by a newer version of Instep (it has ${unknown.join(', ')}). ` +
        'Start that version, or restore a backup made before the upgrade.',
    );
  }
}
