import type { Bench } from './bench.js';
import { Load } from './load.js';
import { type Measure, median, ratios, short } from './measure.js';
import { NodeProcess } from './node-process.js';
import type { PeerReady } from './peers/peer-server.js';
import { startApi, startWorker } from './product.js';
import { connected } from './server.js';

const CONNECTIONS = 10;

/** Single imports over HTTP, beside TypeORM's `save` doing the same work behind bare `node:http`. */
export async function single({ server, quick, say }: Bench): Promise<Measure[]> {
  const seconds = quick ? 4 : 8;
  const database = await server.createDatabase();
  const peerDatabase = await server.createDatabase();
  // The peer writes its outbox row itself and has nobody to empty it; the product's events are delivered meanwhile.
  await connected(peerDatabase, (client) =>
    client.query('drop trigger invoice_added on sales.invoice; drop trigger items_added on sales.invoice_item'),
  );
  const api = await startApi(server, database);
  const worker = startWorker(server, database);
  const peer = NodeProcess.start('bench/peers/single-typeorm.js', {
    env: { DATABASE_URL: peerDatabase, POOL_SIZE: String(CONNECTIONS) },
  });
  const { port } = await peer.receive<PeerReady>();
  const load = new Load();
  const run = (url: string, prefix: string, headers = {}) =>
    load.run({ url, headers, connections: CONNECTIONS, seconds, invoices: prefix });
  const ours = (round: number) => run(`${api.url}/api/sales/import/invoice/`, `R${round}`, api.headers);
  const theirs = (round: number) => run(`http://127.0.0.1:${port}/`, `R${round}`);
  // Warm, and all customers there.
  await ours(0);
  await theirs(0);
  const rates: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
  for (let round = 1; round <= (quick ? 3 : 5); round++) {
    await server.settle();
    rates.ours.push(await ours(round));
    await server.settle();
    rates.theirs.push(await theirs(round));
    say(`round ${round}: ours ${short(rates.ours.at(-1) ?? 0)}/s, TypeORM save ${short(rates.theirs.at(-1) ?? 0)}/s`);
  }
  await Promise.all([load.stop(), api.process.stop(), worker.stop(), peer.stop()]);
  await server.dropDatabase(database);
  await server.dropDatabase(peerDatabase);
  return [
    {
      benchmark: 'single',
      what: 'import over HTTP / TypeORM save behind node:http',
      ours: `${short(median(rates.ours))}/s`,
      against: `${short(median(rates.theirs))}/s`,
      ...ratios(rates.ours, rates.theirs),
      target: { atLeast: 1.5 },
    },
  ];
}
