import type { Bench } from './bench.js';
import { Load } from './load.js';
import { type Measure, median, ratios, short } from './measure.js';
import { NodeProcess } from './node-process.js';
import type { PeerReady } from './peers/peer-server.js';
import { startApi, startWorker } from './product.js';
import { type BenchServer, statement } from './server.js';

const CONNECTIONS = 10;
const SIDES = ['ours', 'save', 'tuned'] as const;
type Side = (typeof SIDES)[number];

/** Single imports over HTTP, beside TypeORM doing the same work behind bare `node:http`. */
export async function single({ server, quick, say }: Bench): Promise<Measure[]> {
  const seconds = quick ? 4 : 8;
  const database = await server.createDatabase();
  const api = await startApi(server, database);
  // Its events are delivered meanwhile; the peers' outbox is nobody's.
  const worker = startWorker(server, database);
  const save = await startPeer(server, 'save');
  const tuned = await startPeer(server, 'tuned');
  const urls: Record<Side, string> = {
    ours: `${api.url}/api/sales/import/invoice/`,
    save: save.url,
    tuned: tuned.url,
  };
  const load = new Load();
  const run = (side: Side, round: number) =>
    load.run({
      url: urls[side],
      headers: side === 'ours' ? api.headers : {},
      connections: CONNECTIONS,
      seconds,
      invoices: `R${round}`,
    });
  // Warm, and all customers there.
  for (const side of SIDES) await run(side, 0);
  const rates: Record<Side, number[]> = { ours: [], save: [], tuned: [] };
  for (let round = 1; round <= (quick ? 3 : 5); round++) {
    for (const side of ['save', 'ours', 'tuned'] as const) {
      await server.settle();
      rates[side].push(await run(side, round));
    }
    say(`round ${round}: ${SIDES.map((side) => `${side} ${short(rates[side].at(-1) ?? 0)}/s`).join(', ')}`);
  }
  await Promise.all([load, api.process, worker, save.process, tuned.process].map((each) => each.stop()));
  for (const used of [database, save.database, tuned.database]) await server.dropDatabase(used);

  const compare = (what: string, side: Side, target: Measure['target']): Measure => ({
    benchmark: 'single',
    what,
    ours: `${short(median(rates.ours))}/s`,
    against: `${short(median(rates[side]))}/s`,
    ...ratios(rates.ours, rates[side]),
    target,
  });
  return [
    compare('import over HTTP / TypeORM save behind node:http', 'save', { atLeast: 1.5 }),
    compare('import over HTTP / TypeORM upsert, insert and save', 'tuned', null),
  ];
}

async function startPeer(
  server: BenchServer,
  style: 'save' | 'tuned',
): Promise<{ process: NodeProcess; url: string; database: string }> {
  const database = await server.createDatabase();
  // It writes its outbox row itself.
  await statement(
    database,
    'drop trigger invoice_added on sales.invoice; drop trigger items_added on sales.invoice_item',
  );
  const process = NodeProcess.start('bench/peers/single-typeorm.js', {
    env: { DATABASE_URL: database, POOL_SIZE: String(CONNECTIONS), STYLE: style },
  });
  const { port } = await process.receive<PeerReady>();
  return { process, url: `http://127.0.0.1:${port}/`, database };
}
