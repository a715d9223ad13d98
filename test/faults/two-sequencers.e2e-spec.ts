import { setTimeout as sleep } from 'node:timers/promises';
import { faultsInFull } from '#platform/config/test-environment.js';
import { LOCKS } from '#platform/persistence/locks.js';
import { eventually } from '#testing/eventually.js';
import { gapsInStreams, importsNotToldOnce, outboxIsEmpty } from '#testing/judges.js';
import { OtherProgram } from '#testing/other-program.js';
import type { ProductProcess } from '#testing/processes.js';
import { Product } from '#testing/product.js';
import { say, seededRandom } from '#testing/seeded-random.js';

const full = faultsInFull();
const KILLS = full ? 20 : 3;
const BACKLOG = 20_000;
const WRITERS = 8;

const random = seededRandom('two-sequencers', import.meta.jest.getSeed());
let product: Product;

import.meta.jest.setTimeout(full ? 600_000 : 120_000);
beforeAll(async () => {
  product = await Product.start({ apis: 0, workers: 2 });
});
afterAll(() => product.close());

const leader = (): Promise<ProductProcess> =>
  eventually('a worker leads', () => product.workers.find((worker) => worker.leads));

const holders = () =>
  product.sql.number(
    `select count(*) from pg_locks where locktype = 'advisory' and granted and classid = 0 and objid = $1
     and database = (select oid from pg_database where datname = current_database())`,
    [LOCKS.sequencer],
  );

async function judge(): Promise<void> {
  await eventually('all events are numbered', () => outboxIsEmpty(product.sql), { ms: 60_000 });
  expect(await gapsInStreams(product.sql)).toEqual([]);
  expect(await importsNotToldOnce(product.sql)).toEqual([]);
}

describe('two workers that both would sequence', () => {
  it('take turns as they are killed, and number every event once', async () => {
    const program = new OtherProgram(product.sql, random, 'A-');
    let over = false;
    let mostHolders = 0;
    const watch = (async () => {
      while (!over) {
        mostHolders = Math.max(mostHolders, await holders());
        await sleep(10);
      }
    })();
    const writers = Array.from({ length: WRITERS }, async () => {
      while (!over) {
        await program.act();
        await sleep(random.between(0, 20));
      }
    });
    const killer = killLeaders().finally(() => (over = true));
    await Promise.all([killer, watch, ...writers]);
    say(`${program.changes.size} invoices in the tables, ${KILLS} leaders killed`);
    await judge();
    expect(await program.faults()).toEqual([]);
    expect(mostHolders).toBe(1);
    expect(product.workers.map((worker) => worker.crashes)).toEqual([0, 0]);
  });

  it('replace a leader that is frozen, as one is that was cut off with its machine', async () => {
    await Promise.all(product.workers.filter((worker) => !worker.isRunning).map((worker) => worker.start()));
    const led = await leader();
    // Its connection stays open for as long as nobody asks: hours, with TCP's own patience.
    led.pause();
    const started = Date.now();
    try {
      const program = new OtherProgram(product.sql, random, 'Z-');
      await program.writeInvoices(50);
      await eventually(
        'the other leads',
        () => product.workers.some((worker) => worker !== led && worker.leads),
        {
          ms: 40_000,
        },
      );
      await judge();
      say(`the other led after ${Date.now() - started} ms`);
      led.resume();
      // The old leader is awake again and does not lead beside the new one.
      await program.writeInvoices(50);
      await judge();
      expect(await program.faults()).toEqual([]);
      expect(await holders()).toBe(1);
    } finally {
      led.resume();
    }
  });

  it(`work off a backlog of ${BACKLOG} when the one that began it is killed`, async () => {
    await Promise.all(product.workers.map((worker) => worker.kill()));
    const before = await product.sql.number(
      `select seq from platform.stream_head where stream = 'sales-invoices'`,
    );
    // Transactions that overlap: their rows commit in another order than they were numbered.
    const program = new OtherProgram(product.sql, random, 'B-');
    await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        sleep(n * 15).then(() => program.writeInvoices(BACKLOG / 10, { thinkMs: random.between(0, 200) })),
      ),
    );
    expect(await product.sql.number('select count(*) from platform.outbox')).toBe(BACKLOG);
    // One that begins, and another that waits behind it.
    await product.worker(0).start();
    await Promise.all([product.worker(1).start(), killInTheMiddle(before)]);
    const started = Date.now();
    await eventually('the other leads', () => product.worker(1).leads);
    await judge();
    expect(await program.faults()).toEqual([]);
    const head = await product.sql.number(
      `select seq from platform.stream_head where stream = 'sales-invoices'`,
    );
    expect(head - before).toBe(BACKLOG);
    say(`the rest was worked off in ${Date.now() - started} ms`);
  });
});

async function killLeaders(): Promise<void> {
  for (let kill = 0; kill < KILLS; kill++) {
    const led = await leader();
    await sleep(random.between(100, full ? 1500 : 600));
    await led.kill();
    const next = await leader();
    expect(next).not.toBe(led);
    await led.start();
  }
}

/** Kills the first worker once it has numbered a part of the backlog. */
async function killInTheMiddle(before: number): Promise<void> {
  const part = random.between(1, BACKLOG / 2);
  const head = () =>
    product.sql.number(`select seq from platform.stream_head where stream = 'sales-invoices'`);
  await eventually('a part is numbered', async () => (await head()) >= before + part, { everyMs: 2 });
  await product.worker(0).kill();
  const left = await product.sql.number('select count(*) from platform.outbox');
  say(`killed with ${left} rows left`);
}
