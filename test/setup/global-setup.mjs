import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../dist/apps/standalone/embedded-postgres.js';
import { migrate } from '../../dist/migrations/migrate.js';

/**
 * One throw-away PostgreSQL for the whole run, with a migrated template; each test file makes its own database from
 * it. Durability is off: nobody needs this data after a crash (the fault tests start servers of their own).
 */
export default async function setUp() {
  const dataDir = mkdtempSync(join(tmpdir(), 'instep-test-'));
  const server = await startEmbeddedPostgres({
    dataDir,
    log: () => undefined,
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '400' },
  });
  globalThis.__INSTEP_TEST_SERVER__ = { server, dataDir };
  try {
    await makeTemplate(server);
  } catch (error) {
    await server.stop('immediate');
    throw error;
  }
  process.env.INSTEP_TEST_SERVER = server.url;
}

async function makeTemplate(server) {
  const admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
  await admin.query('create database instep_template');
  await admin.end();
  const template = new URL(server.url);
  template.pathname = '/instep_template';
  await migrate(template.href);
}
