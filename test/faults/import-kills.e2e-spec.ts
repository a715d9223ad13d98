import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { faultsInFull } from '#platform/config/test-environment.js';
import { eventually } from '#testing/eventually.js';
import {
  ExpectedInvoices,
  differencesFrom,
  expectedOf,
  expectedSums,
  storedSums,
} from '#testing/invoice-expectations.js';
import { faultsOfImport, gapsInStreams, importsNotToldOnce, isOver, outboxIsEmpty } from '#testing/judges.js';
import { Product } from '#testing/product.js';
import { hasRealFile, madeUpFile, realFile, startImport } from '#testing/retail.js';
import { say, seededRandom } from '#testing/seeded-random.js';

const full = faultsInFull();
const KILLS = full ? 20 : 5;
/** After the moment chosen by progress, so that kills fall anywhere within a page. */
const JITTER_MS = full ? 700 : 120;
const BOOT_MS = 4000;
const END_MS = full ? 600_000 : 60_000;

const random = seededRandom('import-kills', import.meta.jest.getSeed());
let product: Product;

import.meta.jest.setTimeout(full ? 1_800_000 : 120_000);
beforeAll(async () => {
  product = await Product.start({ apis: 1, workers: 1, leaseSeconds: 1 });
});
afterAll(() => product.close());

describe('a worker that is killed while it imports a file', () => {
  it('loses nothing, doubles nothing and finishes', async () => {
    const expected = new ExpectedInvoices();
    let killed = 0;
    // A quick machine may finish before it was killed often enough: then another file is imported.
    for (let n = 1; killed < KILLS; n++) {
      const { csv, expected: one } = await file(n);
      const started = Date.now();
      const id = await startImport(await product.client(), csv);
      const kills = await killAlong(id, KILLS - killed);
      killed += kills;
      await eventually('the import ends', () => isOver(product.sql, id), { ms: END_MS });
      say(`file ${n}: ${kills} kills, ${one.lines} lines, ${Date.now() - started} ms`);
      expect(await faultsOfImport(product.sql, id, one.invoices.size)).toEqual([]);
      expected.add(one);
    }
    expect(await storedSums(product.sql)).toEqual(expectedSums(expected));
    expect(await differencesFrom(product.sql, expected)).toEqual([]);
    await eventually('all events are numbered', () => outboxIsEmpty(product.sql), { ms: END_MS });
    expect(await gapsInStreams(product.sql)).toEqual([]);
    expect(await importsNotToldOnce(product.sql)).toEqual([]);
    expect([product.worker(), product.api()].map((process) => process.crashes)).toEqual([0, 0]);
  });
});

async function file(n: number): Promise<{ csv: string | Buffer; expected: ExpectedInvoices }> {
  if (full && n === 1) {
    if (hasRealFile()) return realFile();
    say('the real file ../shared/data/online-retail is not here: a made-up one takes its place');
  }
  const lines = full ? 300_000 : 20_000;
  const csv = madeUpFile(random, { prefix: `F${n}-`, invoices: lines / 8, lines });
  return { csv, expected: await expectedOf(Readable.from([csv])) };
}

/** Kills the worker at random moments of the way. @returns how often it could */
async function killAlong(id: string, kills: number): Promise<number> {
  const moments = Array.from({ length: kills }, () => random.next() * 0.93).sort((a, b) => a - b);
  for (const [killed, moment] of moments.entries()) {
    await eventually(`${Math.round(moment * 100)} % are imported`, () => reached(id, moment), {
      ms: END_MS,
      everyMs: 15,
    });
    if (await isOver(product.sql, id)) return killed;
    await sleep(random.between(0, JITTER_MS));
    await product.worker().kill();
    if (random.chance(0.2)) await dieWhileBooting();
    await product.worker().start();
  }
  return kills;
}

async function dieWhileBooting(): Promise<void> {
  await product.worker().begin();
  await sleep(random.between(0, BOOT_MS));
  await product.worker().kill();
}

async function reached(id: string, moment: number): Promise<boolean> {
  const row = await product.sql.row<{ progress: number | null; over: boolean }>(
    'select progress, finished_at is not null as over from platform.session where id = $1',
    [id],
  );
  return row.over || (row.progress ?? 0) >= moment;
}
