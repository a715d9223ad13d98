import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { createCluster, SUPERUSER } from './postgres-cluster.js';
import { findPostgresHome, type PostgresHome } from './postgres-home.js';
import {
  findRunning,
  forgetStale,
  launch,
  type PostgresProcess,
  signalAndWait,
  watch,
} from './postgres-process.js';
import { prepareDataDir, readOrMakeSecret } from './secrets.js';
import { StartError } from './start-error.js';

const START_TIMEOUT_MS = 60_000;
const ATTEMPTS = 8;

/** How to end a server: `fast` cuts clients off and checkpoints, `immediate` only stops (it recovers on the next start). */
export type StopMode = 'fast' | 'immediate';

/** A running embedded server. */
export interface EmbeddedPostgres {
  /** Connection URL with the password: a secret. */
  url: string;
  port: number;
  pid: number;
  /** True when it was left running by an earlier process of ours and taken over. */
  adopted: boolean;
  /** Resolves when the server has ended, whoever ended it. */
  gone: Promise<void>;
  /**
   * Stops it and waits until it is gone.
   * @param graceMs after this long (8 s) a fast stop becomes an immediate one
   */
  stop(mode?: StopMode, graceMs?: number): Promise<void>;
}

/** What to start. */
export interface EmbeddedPostgresOptions {
  /** The data folder of the installation (DATA_DIR); the cluster is `postgres` below it, or outside when unreachable. */
  dataDir: string;
  log: (line: string) => void;
  /** Server settings over ours, e.g. `{fsync: 'off'}` for a throw-away server. */
  settings?: Record<string, string>;
  /** Port to take if it is free, so that a server that died comes back where its clients look for it. */
  port?: number;
  /** PATH handed to PostgreSQL; nothing else of our environment is. */
  path?: string;
}

/**
 * Starts the embedded PostgreSQL of a data folder, making it first when there is none, or adopts the one that a
 * killed process of ours left running. As root the server runs as `nobody`. It runs detached, in a process group
 * of its own, so that Ctrl-C in the terminal does not reach it before its clients are done.
 * @throws StartError with a sentence for the operator
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  prepareDataDir(options.dataDir);
  const root = realpathSync(options.dataDir);
  const home = findPostgresHome(root, options.log);
  const exists = existsSync(join(home.dataDir, 'PG_VERSION'));
  const password = readPassword(root, home, exists);
  const path = options.path ?? '/usr/local/bin:/usr/bin:/bin';
  if (!exists) {
    await createCluster(home, password, { sync: options.settings?.fsync !== 'off', path });
  }
  const running = await adopt(home, password, options.log);
  const server = running ?? (await startNew(home, password, root, path, options));
  await ensureDatabase(server.port, password);
  const { gone, stop } = watch(server);
  return {
    url: urlOf(server.port, password, SUPERUSER),
    port: server.port,
    pid: server.pid,
    adopted: running !== undefined,
    gone,
    stop: async (mode: StopMode = 'fast', graceMs = 8_000) => {
      await stop(mode, graceMs);
      await gone;
    },
  };
}

function readPassword(root: string, home: PostgresHome, exists: boolean): string {
  const secret = readOrMakeSecret(
    root,
    'postgres.json',
    () => ({ password: randomBytes(24).toString('hex') }),
    !exists,
  );
  if (secret) return secret.password;
  throw new StartError(
    `The database in ${home.dataDir} has lost its password: ${join(root, 'secrets', 'postgres.json')} is missing.`,
    'Put the secrets folder back from your backup, or move the data folder away to begin anew.',
  );
}

/** The server that already runs on this data directory, once it answers; undefined when there is none. */
async function adopt(
  home: PostgresHome,
  password: string,
  log: (line: string) => void,
): Promise<PostgresProcess | undefined> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (let found = findRunning(home); found; found = findRunning(home)) {
    const state = await probe(found.port, password, home);
    if (state === 'ours') {
      log('The database left running by an earlier start was taken over.');
      return found;
    }
    if (state === 'refused') {
      throw new StartError(
        `A PostgreSQL server (process ${found.pid}) runs on ${home.dataDir} and does not take our password.`,
        'Stop that server, or put back the secrets folder it was made with.',
      );
    }
    // Nobody answers: a server that is starting, or on its way out; or, without /proc, an unrelated process.
    if (!found.certain) break;
    if (Date.now() > deadline) {
      await signalAndWait(found, 'SIGQUIT', 10_000);
      break;
    }
    await sleep(50);
  }
  return undefined;
}

async function startNew(
  home: PostgresHome,
  password: string,
  root: string,
  path: string,
  options: EmbeddedPostgresOptions,
): Promise<PostgresProcess> {
  forgetStale(home);
  const logs = join(root, 'logs');
  mkdirSync(logs, { recursive: true, mode: 0o700 });
  let said = '';
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const port = attempt === 1 && options.port ? options.port : await freePort();
    const server = launch(home, port, {
      path,
      logFile: join(logs, 'postgres.log'),
      settings: options.settings ?? {},
    });
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!server.ended() && Date.now() < deadline) {
      if ((await probe(port, password, home)) === 'ours') return server;
      await sleep(25);
    }
    said = server.said();
    if (!server.ended()) {
      await signalAndWait(server, 'SIGQUIT', 10_000);
      break;
    }
    // The port was taken meanwhile, or backends of a killed server are still letting go: both pass.
    if (!/in use|already exists|could not create any TCP/i.test(said)) break;
    await sleep(250 * attempt);
  }
  throw new StartError(
    `The embedded PostgreSQL did not start. It said:\n${said || '(nothing)'}`,
    `Its log is ${join(logs, 'postgres.log')}.`,
  );
}

/** Who answers on the port: our server, one that refuses our password, or nobody (yet). */
async function probe(
  port: number,
  password: string,
  home: PostgresHome,
): Promise<'ours' | 'refused' | 'silent'> {
  const client = clientFor(port, password, 'postgres');
  try {
    await client.connect();
    const { rows } = await client.query<{ data_directory: string }>('show data_directory');
    return samePath(rows[0]?.data_directory ?? '', home.dataDir) ? 'ours' : 'refused';
  } catch (error) {
    // 28P01: wrong password; 28000: no such role.
    return ['28P01', '28000'].includes((error as { code?: string }).code ?? '') ? 'refused' : 'silent';
  } finally {
    await client.end().catch(() => undefined);
  }
}

function samePath(left: string, right: string): boolean {
  try {
    return realpathSync(left) === realpathSync(right);
  } catch {
    return false;
  }
}

async function ensureDatabase(port: number, password: string): Promise<void> {
  const client = clientFor(port, password, 'postgres');
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [SUPERUSER]);
    if (!rowCount) await client.query(`create database ${SUPERUSER}`);
  } finally {
    await client.end();
  }
}

function clientFor(port: number, password: string, database: string): pg.Client {
  const client = new pg.Client({
    connectionString: urlOf(port, password, database),
    connectionTimeoutMillis: 5_000,
  });
  // A server that ends under us must not end our process too; the query that it cut rejects.
  client.on('error', () => undefined);
  return client;
}

function urlOf(port: number, password: string, database: string): string {
  return `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/${database}`;
}

/** A port that is free now; somebody may take it before we do, so the start is retried. */
export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
