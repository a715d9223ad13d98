import { isDeepStrictEqual } from 'node:util';
import type { Bench } from './bench.js';
import { FILL_SALES } from './invoice-data.js';
import { Load } from './load.js';
import { type Measure, median, ratios, short } from './measure.js';
import { NodeProcess } from './node-process.js';
import type { PeerReady } from './peers/peer-server.js';
import { firstPageStatement } from './product-sql.js';
import { type Api, startApi } from './product.js';
import { statement } from './server.js';

const SIDES = ['find', 'bare', 'first', 'deep', 'findAndCount'] as const;
type Side = (typeof SIDES)[number];

const PAGE_SIZE = 20;
const DEPTH = 4_000;
const CONNECTIONS = 32;
/** As the product's. */
const POOL_SIZE = 20;

/** The list's first page and a deep one, beside the same SQL and TypeORM behind bare `node:http`. */
export async function list({ server, quick, say }: Bench): Promise<Measure[]> {
  const invoices = quick ? 20_000 : 100_000;
  const depth = Math.min(DEPTH, invoices / PAGE_SIZE - 100);
  const seconds = quick ? 1 : 2;
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
  await sameAnswers(api, first, bare.url, typeorm.url);
  const deep = `${first}&cursor=${await cursorAt(api, first, depth)}`;

  const load = new Load();
  const run = (url: string, headers: Record<string, string> = {}, longer = 1) =>
    load.run({ url, headers, connections: CONNECTIONS, seconds: seconds * longer });
  const sides: Record<Side, () => Promise<number>> = {
    bare: () => run(bare.url),
    first: () => run(first, api.headers),
    deep: () => run(deep, api.headers),
    find: () => run(`${typeorm.url}/find`),
    // A second does not suffice for 32 of its answers.
    findAndCount: () => run(`${typeorm.url}/find-and-count`, {}, 2),
  };
  const rates = Object.fromEntries(SIDES.map((side) => [side, [] as number[]])) as Record<Side, number[]>;
  for (const side of SIDES) await sides[side]();
  for (let round = 1; round <= (quick ? 3 : 7); round++) {
    // There and back, so that none always has the same one before it.
    for (const side of round % 2 === 1 ? SIDES : [...SIDES].reverse()) rates[side].push(await sides[side]());
    say(`round ${round}: ${SIDES.map((side) => `${side} ${short(rates[side].at(-1) ?? 0)}/s`).join(', ')}`);
  }
  await Promise.all([load.stop(), api.process.stop(), bare.process.stop(), typeorm.process.stop()]);
  await server.dropDatabase(database);

  const compare = (what: string, a: Side, b: Side, atLeast: number): Measure => ({
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

/** A peer that gives another answer would prove nothing. */
async function sameAnswers(api: Api, first: string, bare: string, typeorm: string): Promise<void> {
  const read = async (url: string, headers = {}) => (await fetch(url, { headers })).text();
  const ours = await read(first, api.headers);
  if (ours !== (await read(bare))) throw new Error('the same SQL behind node:http answers otherwise');
  const { results } = JSON.parse(ours) as { results: unknown };
  for (const path of ['/find', '/find-and-count']) {
    const theirs = JSON.parse(await read(typeorm + path)) as { results: unknown };
    if (!isDeepStrictEqual(theirs.results, results)) throw new Error(`TypeORM's ${path} answers otherwise`);
  }
}

async function cursorAt(api: Api, first: string, page: number): Promise<string> {
  const response = await fetch(`${first}&page=${page}`, { headers: api.headers });
  const { next_cursor: cursor } = (await response.json()) as { next_cursor: string | null };
  if (!cursor) throw new Error(`page ${page} has no cursor`);
  return cursor;
}
