import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { migrate } from '#migrations/migrate.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../apps/standalone/embedded-postgres.js';

/** A throw-away PostgreSQL with the settings that the product runs on; ours and the peers' work goes to the same one. */
export class BenchServer {
  private constructor(
    readonly dataDir: string,
    private readonly postgres: EmbeddedPostgres,
    private readonly template: string,
  ) {}

  static async start(): Promise<BenchServer> {
    const dataDir = mkdtempSync(join(tmpdir(), 'instep-bench-'));
    // As root the server runs as nobody, who must get in.
    chmodSync(dataDir, 0o711);
    const postgres = await startEmbeddedPostgres({ dataDir, log: () => undefined });
    const template = withDatabase(postgres.url, 'bench_template');
    await statement(postgres.url, 'create database bench_template');
    await migrate(template);
    return new BenchServer(dataDir, postgres, 'bench_template');
  }

  /** A migrated database of its own. */
  async createDatabase(): Promise<string> {
    const name = `b_${randomBytes(4).toString('hex')}`;
    await statement(this.postgres.url, `create database ${name} template ${this.template}`);
    return withDatabase(this.postgres.url, name);
  }

  async dropDatabase(url: string): Promise<void> {
    await statement(this.postgres.url, `drop database ${new URL(url).pathname.slice(1)} with (force)`);
  }

  /** Before a round, so that none pays for the writes of the one before. */
  async settle(): Promise<void> {
    await statement(this.postgres.url, 'checkpoint');
  }

  async stop(): Promise<void> {
    await this.postgres.stop('immediate');
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

/** Runs `work` on a connection of its own. */
export async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

export const statement = (url: string, sql: string): Promise<unknown> =>
  connected(url, (client) => client.query(sql));
