import pg from 'pg';
import { type TestDatabase, createTestDatabase } from './database.js';
import { Client } from './http-client.js';
import { ProductProcess } from './processes.js';
import { signInAs } from './roles.js';

/** Plain SQL on the product's database, past the product. */
export class Sql {
  readonly pool: pg.Pool;

  constructor(url: string) {
    this.pool = new pg.Pool({ connectionString: url, max: 12, application_name: 'judge' });
    // Fault tests end servers; the statement that was cut rejects, which is enough.
    this.pool.on('error', () => undefined);
  }

  async rows<Row extends pg.QueryResultRow>(text: string, params: unknown[] = []): Promise<Row[]> {
    return (await this.pool.query<Row>(text, params)).rows;
  }

  /** The only row. */
  async row<Row extends pg.QueryResultRow>(text: string, params: unknown[] = []): Promise<Row> {
    const [first] = await this.rows<Row>(text, params);
    if (!first) throw new Error(`no row: ${text}`);
    return first;
  }

  /** A count or any other number. */
  async number(text: string, params: unknown[] = []): Promise<number> {
    return Number(Object.values(await this.row<Record<string, unknown>>(text, params))[0]);
  }

  /** One transaction on a connection of its own. */
  async tx<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    try {
      await client.query('begin');
      const result = await work(client);
      await client.query('commit');
      client.release();
      return result;
    } catch (error) {
      await client.query('rollback').catch(() => undefined);
      client.release(true);
      throw error;
    }
  }

  end(): Promise<void> {
    return this.pool.end();
  }
}

/** Real API and worker processes on one database. */
export class Product {
  readonly apis: ProductProcess[];
  readonly workers: ProductProcess[];
  readonly sql: Sql;
  private key: Promise<{ authorization: string }> | undefined;

  private constructor(
    readonly databaseUrl: string,
    private readonly database: TestDatabase | undefined,
    counts: { apis: number; workers: number },
    env: Record<string, string>,
  ) {
    const make = (kind: 'api' | 'worker') => () => new ProductProcess(kind, databaseUrl, env);
    this.apis = Array.from({ length: counts.apis }, make('api'));
    this.workers = Array.from({ length: counts.workers }, make('worker'));
    this.sql = new Sql(databaseUrl);
  }

  /**
   * Starts everything at once, as a deployment does.
   * @param options.databaseUrl a database of the caller's own; by default a throw-away one
   */
  static async start(options: {
    apis: number;
    workers: number;
    databaseUrl?: string;
    env?: Record<string, string>;
    /** Leases run out this soon after their holder died. */
    leaseSeconds?: number;
  }): Promise<Product> {
    const database = options.databaseUrl ? undefined : await createTestDatabase();
    const product = new Product(
      options.databaseUrl ?? database?.url ?? '',
      database,
      options,
      options.env ?? {},
    );
    try {
      await Promise.all([...product.apis, ...product.workers].map((process) => process.start()));
      if (options.leaseSeconds) {
        await product.sql.rows('update platform.installation set lease_seconds = $1', [options.leaseSeconds]);
      }
      return product;
    } catch (error) {
      await product.close();
      throw error;
    }
  }

  api(index = 0): ProductProcess {
    const api = this.apis[index];
    if (!api) throw new Error(`there is no API ${index}`);
    return api;
  }

  worker(index = 0): ProductProcess {
    const worker = this.workers[index];
    if (!worker) throw new Error(`there is no worker ${index}`);
    return worker;
  }

  /** Headers of the one operator, good at every process. */
  headers(): Promise<{ authorization: string }> {
    return (this.key ??= signInAs(this.api().url, 'operator'));
  }

  async client(index = 0): Promise<Client> {
    return new Client(this.api(index).url, await this.headers());
  }

  /** Kills everything and drops the database. */
  async close(): Promise<void> {
    await Promise.all([...this.apis, ...this.workers].map((process) => process.kill()));
    await this.sql.end();
    await this.database?.drop();
  }
}
