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
const WRITERS = 6;
const READERS = 10;
const STREAM = 'sales-invoices';

const random = seededRandom('postgres-crash', import.meta.jest.getSeed());
const dataDir = mkdtempSync(join(tmpdir(), 'instep-crash-'));
let server: EmbeddedPostgres;
let product: Product;

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
  await product.close();
  await server.stop('immediate');
  rmSync(dataDir, { recursive: true, force: true });
});

describe('PostgreSQL stopped at once under load', () => {
  it('takes nothing with it, and everybody goes on by himself', async () => {
    const headers = await product.headers();
    const api = product.api();
    const pids = [api.pid, product.worker().pid];
    const readers = Array.from({ length: READERS }, () =>
      new ResumingReader({
        url: () => api.url,
        path: '/api/sales/sse/invoices/',
        headers,
        stream: STREAM,
        after: 0,
      }).start(),
    );
    const lines = full ? 100_000 : 20_000;
    const csv = madeUpFile(random, { prefix: 'F-', invoices: lines / 8, lines });
    const file = await startImport(await product.client(), csv);
    const sent: SingleInvoice[] = [];
    let over = false;
    const unsure = { ambiguous: 0, postponed: 0 };
    const writers = Array.from({ length: WRITERS }, async (_, writer) => {
      for (let n = 1; !over; n++) {
        const invoice = singleInvoice(random, `S${writer}-${n}`);
        const key = random.chance(0.5) && { 'idempotency-key': `key ${writer} ${n}` };
        const answer = await postUntilAnswered<ImportAnswer>(
          () => api.url,
          '/api/sales/import/invoice/',
          invoice,
          {
            ...headers,
            ...key,
          },
        );
        expect([200, 201]).toContain(answer.status);
        unsure.ambiguous += answer.ambiguous;
        unsure.postponed += answer.postponed;
        sent.push(invoice);
      }
    });
    await Promise.all([...writers, crashes(file, () => sent.length).finally(() => (over = true))]);
    say(`${sent.length} single imports, ${unsure.ambiguous} cut off, ${unsure.postponed} told to come again`);

    await eventually('the file import ends', () => isOver(product.sql, file), { ms: 120_000 });
    const singles = await expectedOf(Readable.from([[CSV_HEADER, ...sent.flatMap(asRows)].join('\n')]));
    const fromFile = await expectedOf(Readable.from([csv]));
    expect(await faultsOfImport(product.sql, file, fromFile.invoices.size)).toEqual([]);
    const expected = new ExpectedInvoices().add(singles).add(fromFile);
    expect(await storedSums(product.sql)).toEqual(expectedSums(expected));
    expect(await differencesFrom(product.sql, expected)).toEqual([]);
    await judgeStream(readers);
    expect([api.pid, product.worker().pid]).toEqual(pids);
    expect([api.crashes, product.worker().crashes]).toEqual([0, 0]);
  });

  it('leaves the queue at work: a new file is imported', async () => {
    const started = Date.now();
    const csv = madeUpFile(random, { prefix: 'G-', invoices: 300, lines: 1500 });
    const id = await startImport(await product.client(), csv);
    await eventually('the import ends', () => isOver(product.sql, id));
    say(`${Date.now() - started} ms for a small file after the last crash`);
    expect(await faultsOfImport(product.sql, id, 300)).toEqual([]);
    const ready = await (await product.client()).get<{ status: string }>('/health/ready');
    expect([ready.status, ready.body.status]).toEqual([200, 'ready']);
  });
});

describe('an error of a lost connection', () => {
  it.each(['EPIPE', 'ECONNRESET', 'ECONNREFUSED', 'ETIMEDOUT'])('%s is taken for one', (code) => {
    const error = Object.assign(new Error(`write ${code}`), { code, errno: -32, syscall: 'write' });
    expect(isConnectionLost(error)).toBe(true);
  });
});

/** Stops the server at random moments and starts it again on the same port. */
async function crashes(file: string, answered: () => number): Promise<void> {
  let during = 0;
  for (let crash = 0; crash < CRASHES; crash++) {
    const before = answered();
    await eventually('imports are answered', () => answered() > before + WRITERS, { ms: 60_000 });
    // The first while the file is on its way, which is soon over; then anywhere.
    if (crash > 0) await sleep(random.between(0, 500));
    if (!(await isOver(product.sql, file))) during += 1;
    await server.stop('immediate');
    await sleep(random.between(0, 1500));
    const { port } = server;
    server = await startServer(port);
    expect(server.port).toBe(port);
  }
  say(`${CRASHES} crashes, ${during} of them during the file import`);
  expect(during).toBeGreaterThan(0);
  const before = answered();
  await eventually('imports are answered after the last crash', () => answered() > before + WRITERS, {
    ms: 60_000,
  });
}

async function judgeStream(readers: ResumingReader[]): Promise<void> {
  const { sql } = product;
  await eventually('all events are numbered', () => outboxIsEmpty(sql), { ms: 60_000 });
  expect(await gapsInStreams(sql)).toEqual([]);
  expect(await importsNotToldOnce(sql)).toEqual([]);
  const head = await sql.number('select seq from platform.stream_head where stream = $1', [STREAM]);
  await eventually('every reader is at the head', () => readers.every(({ last }) => last === head));
  for (const reader of readers) await reader.stop();
  expect(readers.flatMap(({ faults }) => faults)).toEqual([]);
  const hash = await hashOfLog(sql, STREAM, 0);
  expect(readers.filter((reader) => reader.digest() !== hash)).toHaveLength(0);
  say(`${readers.length} readers got ${head} events each, over ${sum(readers)} connections`);
}

const sum = (readers: ResumingReader[]) => readers.reduce((all, { connections }) => all + connections, 0);
