import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { testServerUrl } from '#platform/config/test-environment.js';

/** A database of its own for one test file, made from the migrated template. */
export interface TestDatabase {
  url: string;
  drop(): Promise<void>;
}

/** @param options.empty a database without the schema, for tests of migrations */
export async function createTestDatabase(options: { empty?: boolean } = {}): Promise<TestDatabase> {
  const server = testServerUrl();
  const name = `t_${randomBytes(6).toString('hex')}`;
  await onServer(server, `create database ${name} ${options.empty ? '' : 'template instep_template'}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => onServer(server, `drop database if exists ${name} with (force)`) };
}

async function onServer(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
