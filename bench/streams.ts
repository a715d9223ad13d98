import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from './bench.js';
import type { OpenReaders, ReadersReport } from './clients/stream-readers.js';
import { type Report, median, ratios, short } from './measure.js';
import { NodeProcess } from './node-process.js';
import type { PeerReady } from './peers/peer-server.js';
import { startApi, startWorker } from './product.js';
import { type BenchServer, connected } from './server.js';

const READERS = 5_000;
const CLIENTS = 2;
const EVENTS_PER_SECOND = 10;
const SPARE_FILES = 200;

/** What came of one round. */
interface Round {
  delivered: number;
  inOrder: number;
  p50: number;
  p99: number;
  /** Of the serving process: kB for each reader beyond what it had without readers. */
  memory: number;
}

interface Served {
  process: NodeProcess;
  target: Omit<OpenReaders, 'readers'>;
}

/** Thousands of readers of the invoice stream on one process, beside a bare `node:http` event stream on the same log. */
export async function streams({ server, quick, say }: Bench): Promise<Report> {
  const readers = quick ? 1_000 : READERS;
  const files = openFilesLimit();
  if (files < readers + SPARE_FILES) {
    return [
      {
        benchmark: 'streams',
        why: `${readers} readers need \`ulimit -n ${readers + SPARE_FILES}\`, it is ${files}`,
      },
    ];
  }
  const events = EVENTS_PER_SECOND * (quick ? 5 : 10);
  const database = await server.createDatabase();
  const worker = startWorker(server, database);
  const ours: Round[] = [];
  const theirs: Round[] = [];
  for (let round = 1; round <= (quick ? 2 : 3); round++) {
    theirs.push(await measure(await startPeer(database), database, readers, events));
    say(`round ${round}: node:http ${describe(theirs.at(-1))}`);
    ours.push(await measure(await startOurs(server, database), database, readers, events));
    say(`round ${round}: ours ${describe(ours.at(-1))}`);
  }
  await worker.stop();
  await server.dropDatabase(database);

  const compare = (what: string, part: 'p50' | 'p99' | 'memory', unit: string) => ({
    benchmark: 'streams',
    what: `${what} / node:http event stream`,
    ours: `${short(median(ours.map((round) => round[part])))} ${unit}`,
    against: `${short(median(theirs.map((round) => round[part])))} ${unit}`,
    ...ratios(
      ours.map((round) => round[part]),
      theirs.map((round) => round[part]),
    ),
  });
  const share = (part: 'delivered' | 'inOrder') => Math.min(...ours.map((round) => round[part]));
  return [
    {
      benchmark: 'streams',
      what: `delivered to ${readers} readers, each event once and in order`,
      ours: `${short(Math.min(share('delivered'), share('inOrder')) * 100)} %`,
      against: `${readers * events} frames`,
      ratio: Math.min(share('delivered'), share('inOrder')),
      rounds: ours.map((round) => Math.min(round.delivered, round.inOrder)),
      target: { atLeast: 1 },
    },
    { ...compare('delay p99', 'p99', 'ms'), target: { atMost: 1.5 } },
    { ...compare('delay p50', 'p50', 'ms'), target: null },
    { ...compare('memory for each reader', 'memory', 'kB'), target: { atMost: 1.5 } },
  ];
}

const describe = (round: Round | undefined): string =>
  round
    ? `${short(round.delivered * 100)} % delivered, p50 ${round.p50} ms, p99 ${round.p99} ms, ${short(round.memory)} kB a reader`
    : '';

async function startOurs(server: BenchServer, database: string): Promise<Served> {
  const { process, url, headers } = await startApi(server, database);
  const { hostname: host, port } = new URL(url);
  return { process, target: { host, port: Number(port), path: '/api/sales/sse/invoices/', headers } };
}

async function startPeer(database: string): Promise<Served> {
  const process = NodeProcess.start('bench/peers/stream-log.js', { env: { DATABASE_URL: database } });
  const { port } = await process.receive<PeerReady>();
  return { process, target: { host: '127.0.0.1', port, path: '/', headers: {} } };
}

async function measure(
  { process, target }: Served,
  database: string,
  readers: number,
  events: number,
): Promise<Round> {
  const clients = Array.from({ length: CLIENTS }, () => NodeProcess.start('bench/clients/stream-readers.js'));
  const all = <T>(message: object | string) => Promise.all(clients.map((client) => client.ask<T>(message)));
  // Warm: code loaded and compiled, then only readers are added.
  await clients[0]?.ask({ ...target, readers: 50 });
  await writeEvents(database, 10);
  await clients[0]?.ask('close');
  await sleep(1_500);
  const before = process.memory().now;
  await all({ ...target, readers: readers / CLIENTS });
  await sleep(2_000);
  await all('reset');
  const samples: number[] = [];
  const sampling = setInterval(() => samples.push(process.memory().now), 200);
  await writeEvents(database, events);
  await sleep(1_500);
  clearInterval(sampling);
  const reports = await all<ReadersReport>('report');
  await Promise.all([process, ...clients].map((each) => each.stop()));
  const sum = (pick: (report: ReadersReport) => number) => reports.reduce((n, report) => n + pick(report), 0);
  return {
    delivered: sum((report) => report.received) / (readers * events),
    inOrder: sum((report) => report.inOrder) / readers,
    ...percentiles(reports),
    memory: ((median(samples) - before) * 1024) / readers,
  };
}

/** As another program writes invoices: in SQL, one transaction each; the trigger makes the event of it. */
function writeEvents(database: string, events: number): Promise<void> {
  return connected(database, async (client) => {
    await client.query(
      `insert into sales.customer (code, name) values ('BENCH', 'Bench') on conflict (code) do nothing`,
    );
    const start = performance.now();
    for (let n = 0; n < events; n++) {
      await client.query(
        `with invoice as (
           insert into sales.invoice (invoice_no, invoice_date, customer_id)
           select 'S-' || gen_random_uuid(), current_date, id from sales.customer where code = 'BENCH' returning id)
         insert into sales.invoice_item (invoice_id, position, name, quantity, mrp)
         select invoice.id, n, 'Tablet ' || n, n, 3.5 from invoice, generate_series(1, 5) n`,
      );
      await sleep(Math.max(0, start + ((n + 1) * 1000) / EVENTS_PER_SECOND - performance.now()));
    }
  });
}

function percentiles(reports: ReadersReport[]): { p50: number; p99: number } {
  const delays = new Map<number, number>();
  for (const report of reports) {
    for (const [ms, n] of report.delays) delays.set(ms, (delays.get(ms) ?? 0) + n);
  }
  const sorted = [...delays].sort(([a], [b]) => a - b);
  const total = sorted.reduce((n, [, count]) => n + count, 0);
  const at = (share: number) => {
    let seen = 0;
    return sorted.find(([, count]) => (seen += count) >= total * share)?.[0] ?? NaN;
  };
  return { p50: at(0.5), p99: at(0.99) };
}

/** Of our children too: Node raises its own limit to the hard one when it starts. */
function openFilesLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  return Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1] ?? 0);
}
