import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ImportAnswer } from '#modules/sales/import-invoice/import-invoice.command.js';
import { faultsInFull } from '#platform/config/test-environment.js';
import { isConnectionLost } from '#platform/persistence/database.js';
import { eventually } from '#testing/eventually.js';
import { type SingleInvoice, asRows, singleInvoice } from '#testing/invoice-bodies.js';
import {
  ExpectedInvoices,
  differencesFrom,
  expectedOf,
  expectedSums,
  storedSums,
} from '#testing/invoice-expectations.js';
import { faultsOfImport, gapsInStreams, importsNotToldOnce, isOver, outboxIsEmpty } from '#testing/judges.js';
import { postUntilAnswered } from '#testing/persistent-client.js';
import { Product } from '#testing/product.js';
import { ResumingReader, hashOfLog } from '#testing/resuming-reader.js';
import { CSV_HEADER, madeUpFile, startImport } from '#testing/retail.js';
import { say, seededRandom } from '#testing/seeded-random.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../apps/standalone/embedded-postgres.js';

const full = faultsInFull();
const CRASHES = full ? 10 : 2;
const POWER_CUTS = full ? 5 : 1;
const WRITERS = 6;
const READERS = 10;
const STREAM = 'sales-invoices';

const random = seededRandom('postgres-crash', import.meta.jest.getSeed());
const dataDir = mkdtempSync(join(tmpdir(), 'instep-crash-'));
let server: EmbeddedPostgres;
let product: Product;
/** Everything that was acknowledged so far. */
const expected = new ExpectedInvoices();
const readers: ResumingReader[] = [];

/** Durable, as an installation is: the shared server of the tests is not. */
function startServer(port?: number): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({
    dataDir,
    log: () => undefined,
    settings: { fsync: 'on', shared_buffers: '64MB' },
    ...(port !== undefined && { port }),
  });
}

import.meta.jest.setTimeout(full ? 900_000 : 180_000);
beforeAll(async () => {
  server = await startServer();
  product = await Product.start({ apis: 1, workers: 1, databaseUrl: server.url, leaseSeconds: 2 });
});
afterAll(async () => {
  await Promise.all(readers.map((reader) => reader.stop()));
  await product.close();
  await server.stop('immediate');
  rmSync(dataDir, { recursive: true, force: true });
});

describe('PostgreSQL stopped at once under load', () => {
  it('takes nothing with it, and everybody goes on by himself', async () => {
    const processes = [product.api(), product.worker()];
    const pids = processes.map(({ pid }) => pid);
    await underLoad('S', CRASHES, async () => {
      await server.stop('immediate');
      await sleep(random.between(0, 1500));
      const { port } = server;
      server = await startServer(port);
      expect(server.port).toBe(port);
    });
    expect(processes.map(({ pid }) => pid)).toEqual(pids);
    expect(processes.map(({ crashes }) => crashes)).toEqual([0, 0]);
  });

  it('leaves the queue at work: a new file is imported', async () => {
    const started = Date.now();
    const csv = madeUpFile(random, { prefix: 'G-', invoices: 300, lines: 1500 });
    const id = await startImport(await product.client(), csv);
    await eventually('the import ends', () => isOver(product.sql, id));
    say(`${Date.now() - started} ms for a small file after the last crash`);
    expect(await faultsOfImport(product.sql, id, 300)).toEqual([]);
    expected.add(await expectedOf(Readable.from([csv])));
    const ready = await (await product.client()).get<{ status: string }>('/health/ready');
    expect([ready.status, ready.body.status]).toEqual([200, 'ready']);
  });
});

describe('a power cut under load', () => {
  it('takes nothing with it either', async () => {
    await underLoad('P', POWER_CUTS, async () => {
      process.kill(server.pid, 'SIGKILL');
      await Promise.all([product.api().kill(), product.worker().kill(), server.gone]);
      server = await startServer(server.port);
      await Promise.all([product.api().start(), product.worker().start()]);
    });
  });
});

describe('an error of a lost connection', () => {
  it.each(['EPIPE', 'ECONNRESET', 'ECONNREFUSED', 'ETIMEDOUT'])('%s is taken for one', (code) => {
    const error = Object.assign(new Error(`write ${code}`), { code, errno: -32, syscall: 'write' });
    expect(isConnectionLost(error)).toBe(true);
  });
});

/**
 * Disasters at random moments while invoices are imported one by one and from a file, and readers listen; then
 * everything that was ever acknowledged is compared with what is stored and told.
 */
async function underLoad(prefix: string, disasters: number, strike: () => Promise<void>): Promise<void> {
  readers.push(...(await listeners()));
  const lines = full ? 100_000 : 20_000;
  const csv = madeUpFile(random, { prefix: `${prefix}F-`, invoices: lines / 8, lines });
  const file = await startImport(await product.client(), csv);
  const sent: SingleInvoice[] = [];
  let over = false;
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    for (let n = 1; !over; n++) {
      const invoice = singleInvoice(random, `${prefix}${writer}-${n}`);
      await importOne(invoice);
      sent.push(invoice);
    }
  });
  const fate = disastersDuring(file, disasters, () => sent.length, strike);
  await Promise.all([...writers, fate.finally(() => (over = true))]);
  await eventually('the file import ends', () => isOver(product.sql, file), { ms: 120_000 });

  const fromFile = await expectedOf(Readable.from([csv]));
  expect(await faultsOfImport(product.sql, file, fromFile.invoices.size)).toEqual([]);
  const singles = [CSV_HEADER, ...sent.flatMap(asRows)].join('\n');
  expected.add(fromFile).add(await expectedOf(Readable.from([singles])));
  await judge();
}

/** With a key or without, until it is acknowledged. */
async function importOne(invoice: SingleInvoice): Promise<void> {
  const key = random.chance(0.5) && { 'idempotency-key': `key of ${invoice.invoice_no}` };
  const headers = { ...(await product.headers()), ...key };
  const answer = await postUntilAnswered<ImportAnswer>(
    () => product.api().url,
    '/api/sales/import/invoice/',
    invoice,
    headers,
  );
  expect([200, 201]).toContain(answer.status);
}

async function disastersDuring(
  file: string,
  disasters: number,
  answered: () => number,
  strike: () => Promise<void>,
): Promise<void> {
  let during = 0;
  const someAnswers = () => {
    const before = answered();
    return eventually('imports are answered', () => answered() > before + WRITERS, { ms: 60_000 });
  };
  for (let n = 0; n < disasters; n++) {
    await someAnswers();
    // The first while the file is on its way, which is soon over; then anywhere.
    if (n > 0) await sleep(random.between(0, 500));
    if (!(await isOver(product.sql, file))) during += 1;
    await strike();
  }
  await someAnswers();
  say(`${disasters} disasters, ${during} of them during the file import, ${answered()} single imports`);
  expect(during).toBeGreaterThan(0);
}

async function headOf(): Promise<number> {
  await eventually('all events are numbered', () => outboxIsEmpty(product.sql), { ms: 60_000 });
  return product.sql.number('select coalesce(max(seq), 0) from platform.stream_head where stream = $1', [
    STREAM,
  ]);
}

async function listeners(): Promise<ResumingReader[]> {
  const headers = await product.headers();
  const after = await headOf();
  const url = () => product.api().url;
  return Array.from({ length: READERS }, () =>
    new ResumingReader({ url, path: '/api/sales/sse/invoices/', headers, stream: STREAM, after }).start(),
  );
}

async function judge(): Promise<void> {
  const { sql } = product;
  expect(await storedSums(sql)).toEqual(expectedSums(expected));
  expect(await differencesFrom(sql, expected)).toEqual([]);
  const head = await headOf();
  expect(await gapsInStreams(sql)).toEqual([]);
  expect(await importsNotToldOnce(sql)).toEqual([]);
  await eventually('every reader is at the head', () => readers.every(({ last }) => last === head));
  const done = readers.splice(0);
  for (const reader of done) await reader.stop();
  expect(done.flatMap(({ faults }) => faults)).toEqual([]);
  const hash = await hashOfLog(sql, STREAM, done[0]?.begin ?? 0);
  expect(done.filter((reader) => reader.digest() !== hash)).toHaveLength(0);
  const connections = done.reduce((all, reader) => all + reader.connections, 0);
  say(`${done.length} readers were told everything up to ${head}, over ${connections} connections`);
}
