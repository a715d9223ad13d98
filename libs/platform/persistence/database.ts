import { AsyncLocalStorage } from 'node:async_hooks';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool, PoolClient, QueryResultRow } from 'pg';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';

interface Transaction {
  runner: QueryRunner;
  client: PoolClient;
  /** Statements whose answer nobody waits for; they are sent together with the COMMIT. */
  last: (() => Promise<unknown>)[];
  afterCommit: (() => void)[];
}

export interface TransactionOptions {
  /** Default: READ COMMITTED. */
  isolation?: 'REPEATABLE READ' | 'SERIALIZABLE';
  /** How often a serialization failure or deadlock is tried again. */
  attempts?: number;
}

/** PostgreSQL's codes for serialization failure and deadlock: the transaction did nothing and may run again. */
const RETRYABLE = new Set(['40001', '40P01']);

/**
 * The door to PostgreSQL. Inside {@link tx} everything on the same asynchronous path joins the one transaction,
 * so a use case composes commands without passing a manager around. Statements are plain SQL with parameters;
 * `numeric` and `bigint` come back as strings.
 */
export class Database {
  private readonly current = new AsyncLocalStorage<Transaction>();

  constructor(
    readonly dataSource: DataSource,
    private readonly pool: Pool,
  ) {}

  /** TypeORM's manager of the transaction at hand, or of the pool outside of one. */
  get manager(): EntityManager {
    return this.current.getStore()?.runner.manager ?? this.dataSource.manager;
  }

  async query<Row extends QueryResultRow>(sql: string, params: unknown[] = []): Promise<Row[]> {
    const result = await (this.current.getStore()?.client ?? this.pool).query<Row>(sql, params);
    return result.rows;
  }

  /** The first row, or undefined. */
  async first<Row extends QueryResultRow>(sql: string, params: unknown[] = []): Promise<Row | undefined> {
    return (await this.query<Row>(sql, params))[0];
  }

  /** Runs a statement for its effect; answers how many rows it touched. */
  async execute(sql: string, params: unknown[] = []): Promise<number> {
    const result = await (this.current.getStore()?.client ?? this.pool).query(sql, params);
    return result.rowCount ?? 0;
  }

  /** A statement planned once per connection: for hot paths. `name` must be unique to the text. */
  async prepared<Row extends QueryResultRow>(name: string, text: string, values: unknown[]): Promise<Row[]> {
    const result = await (this.current.getStore()?.client ?? this.pool).query<Row>({ name, text, values });
    return result.rows;
  }

  /**
   * A prepared statement that belongs to the transaction at hand but whose rows nobody needs: it is sent with the
   * COMMIT. When it fails, nothing of the transaction stays and {@link tx} throws.
   */
  async alongside(name: string, text: string, values: unknown[]): Promise<void> {
    const transaction = this.current.getStore();
    const statement = () => (transaction?.client ?? this.pool).query({ name, text, values });
    if (transaction) transaction.last.push(statement);
    else await statement();
  }

  /** Runs after the outermost transaction committed; at once outside of one. Must not fail or be relied on. */
  afterCommit(work: () => void): void {
    const transaction = this.current.getStore();
    if (transaction) transaction.afterCommit.push(work);
    else work();
  }

  /**
   * One transaction around `work`; joins the one at hand. The outermost is run again on a deadlock or a
   * serialization failure, so `work` must have no effect outside the database.
   */
  async tx<T>(work: () => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    if (this.current.getStore()) {
      if (options.isolation) throw new Error('a joined transaction cannot change its isolation');
      return work();
    }
    const attempts = options.attempts ?? 5;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.attempt(work, options);
      } catch (error) {
        if (attempt >= attempts || !RETRYABLE.has(sqlState(error) ?? '')) throw error;
        await sleep(Math.random() * 10 * 2 ** attempt);
      }
    }
  }

  /**
   * BEGIN travels with the first statement and COMMIT with the last ones (the pool's connections are pipelined), so
   * a transaction of one statement costs two trips to the server, not four.
   */
  private async attempt<T>(work: () => Promise<T>, { isolation }: TransactionOptions): Promise<T> {
    const runner = this.dataSource.createQueryRunner();
    try {
      const client = (await runner.connect()) as PoolClient;
      const transaction: Transaction = { runner, client, last: [], afterCommit: [] };
      const stream = streamOf(client);
      stream.cork();
      process.nextTick(() => stream.uncork());
      const begun = client.query(isolation ? `BEGIN ISOLATION LEVEL ${isolation}` : 'BEGIN');
      begun.catch(() => undefined);
      tellTypeOrm(runner, true);
      let result: T;
      try {
        result = await this.current.run(transaction, work);
        stream.cork();
        // One that fails turns the COMMIT behind it into a rollback, and is what is thrown.
        const sent = [...transaction.last.map((statement) => statement()), begun];
        const committed = client.query('COMMIT');
        stream.uncork();
        await Promise.all([...sent, committed]);
        // An error that somebody swallowed made PostgreSQL give the transaction up.
        if ((await committed).command !== 'COMMIT') throw new Error('the transaction was rolled back');
      } catch (error) {
        await client.query('ROLLBACK').catch(() => undefined);
        throw error;
      } finally {
        tellTypeOrm(runner, false);
      }
      for (const after of transaction.afterCommit) after();
      return result;
    } finally {
      await runner.release().catch(() => undefined);
    }
  }
}

/** The socket of a connection; pg's types do not show it. */
const streamOf = (client: PoolClient): Writable =>
  (client as unknown as { connection: { stream: Writable } }).connection.stream;

/** TypeORM must not open a transaction of its own inside of ours, as `save` does when it knows of none. */
function tellTypeOrm(runner: QueryRunner, active: boolean): void {
  Object.assign(runner, { isTransactionActive: active, transactionDepth: active ? 1 : 0 });
}

/** Node's own codes (EPIPE) have no digit. */
const SQL_STATE = /^(?=.*\d)[0-9A-Z]{5}$/;

/** The five-character SQLSTATE of whatever was thrown, if PostgreSQL threw it. */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, driverError } = error as { code?: unknown; driverError?: { code?: unknown } };
  const state = driverError?.code ?? code;
  return typeof state === 'string' && SQL_STATE.test(state) ? state : undefined;
}

const CONNECTION_LOST =
  /ECONNREFUSED|ECONNRESET|ECONNABORTED|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPIPE|Connection terminated|Client was closed|timeout exceeded when trying|Client has encountered/;

/** True when the database could not be reached or went away: the same call may work in a moment. */
export function isConnectionLost(error: unknown): boolean {
  const state = sqlState(error);
  // 25P03: this process was frozen inside a transaction for so long that the server gave it up.
  if (state !== undefined) return /^(08|57P|53300|25P03)/.test(state);
  const { message, code } = (error ?? {}) as { message?: string; code?: string };
  return CONNECTION_LOST.test(`${message ?? ''} ${code ?? ''}`);
}
