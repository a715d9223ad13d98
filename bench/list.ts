import type { Bench } from './bench.js';
import { FILL_SALES } from './invoice-data.js';
import { Load } from './load.js';
import { type Measure, median, ratios, short } from './measure.js';
import { NodeProcess } from './node-process.js';
import type { PeerReady } from './peers/peer-server.js';
import { firstPageStatement } from './product-sql.js';
import { type Api, startApi } from './product.js';
import { statement } from './server.js';

const PAGE_SIZE = 20;
const DEPTH = 4_000;
const CONNECTIONS = 32;
/** As the product's. */
const POOL_SIZE = 20;

/** The list's first page and a deep one, beside the same SQL and TypeORM behind bare `node:http`. */
export async function list({ server, quick, say }: Bench): Promise<Measure[]> {
  const invoices = quick ? 20_000 : 100_000;
  const depth = Math.min(DEPTH, invoices / PAGE_SIZE - 100);
  const seconds = quick ? 3 : 5;
  const database = await server.createDatabase();
  await statement(database, FILL_SALES(invoices));
  await statement(database, 'vacuum analyze');
  const api = await startApi(server, database);
  const common = { DATABASE_URL: database, POOL_SIZE: String(POOL_SIZE) };
  const bare = await startPeer('list-sql', {
    ...common,
    PUBLIC_URL: api.url.replace('127.0.0.1', 'localhost'),
    STATEMENT: JSON.stringify(await firstPageStatement(PAGE_SIZE)),
  });
  const typeorm = await startPeer('list-typeorm', common);
  const first = `${api.url}/api/sales/invoices/?page_size=${PAGE_SIZE}`;
  await sameAnswer(api, first, bare.url);
  const deep = `${first}&cursor=${await cursorAt(api, first, depth)}`;

  const load = new Load();
  const run = (url: string, headers?: Record<string, string>, share = 1) =>
    load.run({ url, connections: CONNECTIONS, seconds: seconds * share, ...(headers && { headers }) });
  const sides = {
    first: () => run(first, api.headers),
    bare: () => run(bare.url),
    deep: () => run(deep, api.headers),
    find: () => run(`${typeorm.url}/find`),
    findAndCount: () => run(`${typeorm.url}/find-and-count`, undefined, 2),
  };
  for (const side of [sides.first, sides.bare, sides.deep, sides.find]) await side();
  const rates: Record<keyof typeof sides, number[]> = {
    first: [],
    bare: [],
    deep: [],
    find: [],
    findAndCount: [],
  };
  for (let round = 0; round < (quick ? 3 : 5); round++) {
    // The one compared most often stands between those it is compared with.
    for (const name of ['bare', 'first', 'deep', 'find', 'findAndCount'] as const) {
      rates[name].push(await sides[name]());
    }
    say(
      `round ${round + 1}: ${Object.entries(rates)
        .map(([k, v]) => `${k} ${short(v.at(-1) ?? 0)}/s`)
        .join(', ')}`,
    );
  }
  await Promise.all([load.stop(), api.process.stop(), bare.process.stop(), typeorm.process.stop()]);
  await server.dropDatabase(database);

  const compare = (what: string, a: keyof typeof sides, b: keyof typeof sides, atLeast: number): Measure => ({
    benchmark: 'list',
    what,
    ours: `${short(median(rates[a]))}/s`,
    against: `${short(median(rates[b]))}/s`,
    ...ratios(rates[a], rates[b]),
    target: { atLeast },
  });
  return [
    compare('first page / same SQL behind node:http', 'first', 'bare', 0.8),
    compare('first page / TypeORM find with relations', 'first', 'find', 4),
    compare('first page / TypeORM findAndCount', 'first', 'findAndCount', 80),
    compare(`page ${depth} by cursor / first page`, 'deep', 'first', 0.95),
  ];
}

async function startPeer(
  name: string,
  env: Record<string, string>,
): Promise<{ process: NodeProcess; url: string }> {
  const process = NodeProcess.start(`bench/peers/${name}.js`, { env });
  const { port } = await process.receive<PeerReady>();
  return { process, url: `http://127.0.0.1:${port}` };
}

/** A peer that does other work would prove nothing. */
async function sameAnswer(api: Api, ours: string, theirs: string): Promise<void> {
  const read = async (url: string, headers = {}) => (await fetch(url, { headers })).text();
  const [a, b] = [await read(ours, api.headers), await read(theirs)];
  if (a !== b) throw new Error(`the peer answers otherwise:\n${a.slice(0, 600)}\n${b.slice(0, 600)}`);
}

async function cursorAt(api: Api, first: string, page: number): Promise<string> {
  const response = await fetch(`${first}&page=${page}`, { headers: api.headers });
  const { next_cursor: cursor } = (await response.json()) as { next_cursor: string | null };
  if (!cursor) throw new Error(`page ${page} has no cursor`);
  return cursor;
}
