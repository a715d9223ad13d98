import { setTimeout as sleep } from 'node:timers/promises';
import type { ImportAnswer } from '#modules/sales/import-invoice/import-invoice.command.js';
import { faultsInFull } from '#platform/config/test-environment.js';
import { eventually } from '#testing/eventually.js';
import { singleInvoice } from '#testing/invoice-bodies.js';
import { gapsInStreams, importsNotToldOnce, isOver, outboxIsEmpty } from '#testing/judges.js';
import { OtherProgram } from '#testing/other-program.js';
import { postUntilAnswered } from '#testing/persistent-client.js';
import { Product } from '#testing/product.js';
import { ResumingReader, hashOfLog } from '#testing/resuming-reader.js';
import { madeUpFile, startImportOnce } from '#testing/retail.js';
import { say, seededRandom } from '#testing/seeded-random.js';

const full = faultsInFull();
const CUTS = full ? 200 : 60;
const READERS = 50;
const STREAM = 'sales-invoices';
const PATH = '/api/sales/sse/invoices/';

const random = seededRandom('stream-cuts', import.meta.jest.getSeed());
let product: Product;
let headers: { authorization: string };
const readers: ResumingReader[] = [];

import.meta.jest.setTimeout(full ? 600_000 : 150_000);
beforeAll(async () => {
  product = await Product.start({ apis: 2, workers: 1 });
  headers = await product.headers();
});
afterAll(async () => {
  await Promise.all(readers.map((reader) => reader.stop()));
  await product.close();
});

/** Any of the two processes: the rest of a stream is served by whoever is asked. */
const anyUrl = () => random.pick(product.apis).url;

/** Reads the invoices; connects again at once or a little later. */
function reader(options: { url: () => string; after: number | null }): ResumingReader {
  const made = new ResumingReader({
    ...options,
    path: PATH,
    headers,
    stream: STREAM,
    pauseMs: () => (random.chance(0.5) ? 0 : random.between(1, 40)),
  }).start();
  readers.push(made);
  return made;
}

/** The number of the newest event, once everything that was committed is numbered. */
async function headOf(): Promise<number> {
  await eventually('all events are numbered', () => outboxIsEmpty(product.sql), { everyMs: 10 });
  return product.sql.number(`select coalesce(max(seq), 0) from platform.stream_head where stream = $1`, [
    STREAM,
  ]);
}

describe(`${READERS} readers on two processes, cut ${CUTS} times`, () => {
  it('each get every event once and in order, from whichever process they ask', async () => {
    for (let n = 0; n < READERS; n++) {
      // Half begin at the present, which is the same place now: nothing has happened yet.
      reader({ url: anyUrl, after: n % 2 ? 0 : null });
    }
    await eventually('all readers are open', () => readers.every(({ isOpen }) => isOpen));

    let over = false;
    const isDone = () => over;
    const program = new OtherProgram(product.sql, random, 'O-');
    const [counts] = await Promise.all([
      cutAndRestart().finally(() => (over = true)),
      importSingles('S', isDone),
      importSingles('T', isDone),
      importFile(),
      writeTables(program, isDone),
      writeTables(program, isDone),
    ]);

    const head = await headOf();
    await eventually('every reader is at the head', () => readers.every(({ last }) => last === head)).catch(
      (error: unknown) => {
        // What a reader complains of says more than that it is not there.
        expect(readers.flatMap(({ faults }) => faults)).toEqual([]);
        throw error;
      },
    );
    say(`${head} events, ${counts.cuts} cuts, ${counts.connections()} connections, one process killed`);
    expect(readers.flatMap(({ faults }) => faults)).toEqual([]);
    expect(readers.map(({ begin }) => begin)).toEqual(readers.map(() => 0));
    const hash = await hashOfLog(product.sql, STREAM, 0);
    expect(readers.filter((reader) => reader.digest() !== hash)).toHaveLength(0);
    expect(await gapsInStreams(product.sql)).toEqual([]);
    expect(await importsNotToldOnce(product.sql)).toEqual([]);
    expect(await program.faults()).toEqual([]);
    expect(product.apis.map((api) => api.crashes)).toEqual([0, 0]);
  });

  it('are forgotten when they are gone', async () => {
    await Promise.all(readers.splice(0).map((reader) => reader.stop()));
    await eventually('no process has a reader', async () => {
      const open = await Promise.all(product.apis.map(({ url }) => openReaders(url)));
      return open.every((count) => count === 0);
    });
  });
});

describe('a reader', () => {
  it('is not sent back when it goes on at a process that is behind the one it left', async () => {
    const [ahead, behind] = [product.api(0), product.api(1)];
    // Keeps the stream alive there, so that the process has a place of its own in it.
    reader({ url: () => behind.url, after: await headOf() });
    let at = ahead;
    const moving = reader({ url: () => at.url, after: await headOf() });
    for (let round = 1; round <= (full ? 40 : 8); round++) {
      at = ahead;
      moving.cut();
      await eventually('it is at the head', async () => moving.isOpen && moving.last === (await headOf()));
      behind.pause();
      for (let n = 0; n < 5; n++) await importAt(ahead.url, `B${round}-${n}`);
      await eventually('it has them', async () => moving.last === (await headOf()));
      at = behind;
      behind.resume();
      moving.cut();
      await importAt(ahead.url, `B${round}-later`);
      await eventually('it goes on', async () => moving.isOpen && moving.last === (await headOf()));
    }
    expect(moving.faults).toEqual([]);
  });

  it('knows its place before its first event, and loses nothing when it is cut until then', async () => {
    const head = await headOf();
    let url = anyUrl;
    const fresh = Array.from({ length: 10 }, () => reader({ url: () => url(), after: null }));
    // Told by an id without data, which EventSource remembers and shows to nobody.
    await eventually('all know their place', () => fresh.every(({ last }) => last === head), { ms: 5000 });
    url = () => 'http://127.0.0.1:9';
    for (const one of fresh) one.cut();
    await importAt(product.api().url, 'P-1');
    expect(await headOf()).toBe(head + 1);
    url = anyUrl;
    await eventually('all are open again', () => fresh.every(({ isOpen }) => isOpen));
    await importAt(product.api().url, 'P-2');
    await eventually('all have the newest', () => fresh.every(({ last }) => last === head + 2));
    expect(fresh.map(({ begin }) => begin)).toEqual(fresh.map(() => head));
    expect(fresh.flatMap(({ faults }) => faults)).toEqual([]);
  });
});

async function importAt(url: string, invoiceNo: string): Promise<void> {
  const invoice = singleInvoice(random, invoiceNo);
  const answer = await postUntilAnswered(() => url, '/api/sales/import/invoice/', invoice, headers);
  expect(answer.status).toBe(201);
}

async function openReaders(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`, { headers })).text();
  return Number(/^instep_stream_readers (\d+)$/m.exec(text)?.[1] ?? Number.NaN);
}

/** Cuts readers that are open, and in the middle of it kills one process and starts it again. */
async function cutAndRestart(): Promise<{ cuts: number; connections: () => number }> {
  const restartAt = random.between(CUTS / 4, CUTS / 2);
  let restarted: Promise<unknown> = Promise.resolve();
  for (let cuts = 0; cuts < CUTS; cuts++) {
    if (cuts === restartAt) {
      const api = random.pick(product.apis);
      await api.kill();
      restarted = api.start();
      restarted.catch(() => undefined);
    }
    // One that has nothing yet has nothing to resume by; the test below is about those.
    const open = readers.filter(({ isOpen, last }) => isOpen && last !== null);
    if (open.length > 0) random.pick(open).cut();
    await sleep(random.between(5, 120));
  }
  await restarted;
  return { cuts: CUTS, connections: () => readers.reduce((sum, reader) => sum + reader.connections, 0) };
}

async function importSingles(prefix: string, isDone: () => boolean): Promise<void> {
  for (let n = 1; !isDone(); n++) {
    const invoice = singleInvoice(random, `${prefix}-${n}`);
    await postUntilAnswered<ImportAnswer>(anyUrl, '/api/sales/import/invoice/', invoice, headers);
    await sleep(random.between(0, 60));
  }
}

async function importFile(): Promise<void> {
  const invoices = full ? 5000 : 1200;
  const csv = madeUpFile(random, { prefix: 'F-', invoices, lines: invoices * 3 });
  const id = await startImportOnce(anyUrl, headers, csv, 'the file');
  await eventually('the file is imported', () => isOver(product.sql, id), { ms: 60_000 });
}

async function writeTables(program: OtherProgram, isDone: () => boolean): Promise<void> {
  while (!isDone()) {
    await program.act();
    await sleep(random.between(0, 60));
  }
}
