import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.js';
import { isAlive } from './process-identity.js';

const FAST = { fsync: 'off', shared_buffers: '16MB', max_connections: '20' };
const asRoot = process.getuid?.() === 0;

let root: string;
let started: EmbeddedPostgres[];
let lines: string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'instep-pg-'));
  chmodSync(root, 0o755);
  started = [];
  lines = [];
});

afterEach(async () => {
  for (const server of started) await server.stop('immediate');
  rmSync(root, { recursive: true, force: true });
});

async function start(dataDir = join(root, 'data')): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, settings: FAST, log: (line) => lines.push(line) });
  started.push(server);
  return server;
}

async function query(server: EmbeddedPostgres, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: server.url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

describe('the embedded PostgreSQL', () => {
  it('makes a database, keeps it over a stop, and shows its files to nobody else', async () => {
    const first = await start();
    expect(first.adopted).toBe(false);
    expect(await query(first, `select current_database() db, current_user u, lower('ÄÖ') l`)).toEqual([
      { db: 'instep', u: 'instep', l: 'äö' },
    ]);
    const data = join(root, 'data');
    expect(statSync(data).mode & 0o777).toBe(asRoot ? 0o711 : 0o700);
    expect(statSync(join(data, 'secrets')).mode & 0o777).toBe(0o700);
    expect(statSync(join(data, 'secrets', 'postgres.json')).mode & 0o777).toBe(0o600);
    expect(statSync(join(data, 'postgres')).mode & 0o777).toBe(0o700);
    if (asRoot) expect(statSync(join(data, 'postgres')).uid).not.toBe(0);
    expect(readdirSync(data).filter((name) => name.includes('.new-'))).toEqual([]);
    expect(readFileSync(join(data, 'logs', 'postgres.log'), 'utf8')).not.toContain(
      new URL(first.url).password,
    );
    await query(first, 'create table kept (n int)');
    await first.stop();
    await first.gone;
    expect(isAlive(first.pid)).toBe(false);
    const second = await start();
    expect(await query(second, 'select count(*)::int n from kept')).toEqual([{ n: 0 }]);
  });

  it('refuses a wrong password and listens on the loopback address only', async () => {
    const server = await start();
    const url = new URL(server.url);
    url.password = 'wrong';
    const client = new pg.Client({ connectionString: url.href });
    await expect(client.connect()).rejects.toMatchObject({ code: '28P01' });
    expect(await query(server, 'show listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
    expect(await query(server, 'show unix_socket_directories')).toEqual([{ unix_socket_directories: '' }]);
  });

  it('takes over a server that was left running', async () => {
    const first = await start();
    await query(first, 'create table kept (n int)');
    const second = await start();
    expect(second).toMatchObject({ adopted: true, pid: first.pid, port: first.port });
    expect(await query(second, 'select count(*)::int n from kept')).toEqual([{ n: 0 }]);
    await second.stop();
    expect(isAlive(first.pid)).toBe(false);
  });

  it('starts over the lock file of a killed server, even when its number is now somebody else’s', async () => {
    const first = await start();
    process.kill(first.pid, 'SIGKILL');
    await first.gone;
    const second = await start();
    expect(second.adopted).toBe(false);
    const file = join(root, 'data', 'postgres', 'postmaster.pid');
    const lock = readFileSync(file, 'utf8');
    await second.stop('immediate');
    writeFileSync(file, lock.replace(/^\d+/, String(process.pid)));
    const third = await start();
    expect(third.adopted).toBe(false);
  });

  it('recovers from an initdb that was killed half way', async () => {
    const data = join(root, 'data');
    mkdirSync(join(data, 'postgres.new-1-2', 'base'), { recursive: true });
    mkdirSync(join(data, 'secrets'));
    writeFileSync(join(data, 'postgres.new-1-2.pw'), 'left\n');
    writeFileSync(join(data, 'postgres.new-1-2', 'PG_VERSION'), '18\n');
    const server = await start();
    expect(await query(server, 'select 1 one')).toEqual([{ one: 1 }]);
    expect(readdirSync(data).filter((name) => name.includes('.new-'))).toEqual([]);
  });

  it('says what is wrong when the password is lost', async () => {
    await (await start()).stop();
    rmSync(join(root, 'data', 'secrets', 'postgres.json'));
    await expect(start()).rejects.toThrow(/has lost its password/);
    expect(existsSync(join(root, 'data', 'secrets', 'postgres.json'))).toBe(false);
  });

  it('keeps its data outside when a folder above is closed to the server’s user', async () => {
    chmodSync(root, 0o700);
    const first = await start();
    const [row] = await query(first, 'show data_directory');
    const place = String(row?.data_directory);
    // An ordinary user's server runs as himself: nothing is closed to it.
    if (!asRoot) return expect(place).toBe(join(root, 'data', 'postgres'));
    try {
      expect(lines.join('\n')).toMatch(/cannot be reached.*\/var\/lib\/instep\/[0-9a-f]{16}/);
      expect(place).toMatch(/^\/var\/lib\/instep\/[0-9a-f]{16}\/postgres$/);
      const second = await start();
      expect(second.adopted).toBe(true);
      await second.stop();
    } finally {
      await first.stop('immediate');
      rmSync(join(place, '..'), { recursive: true, force: true });
    }
  });
});
