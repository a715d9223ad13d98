import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from './bench.js';
import { csvFile, inPieces, LINES, ndjsonFile } from './invoice-data.js';
import { type Measure, median, ratios, short } from './measure.js';
import { finished, upload } from './file-import.js';
import { copyImport } from './peers/copy-import.js';
import { startApi, startWorker } from './product.js';
import { type BenchServer, connected } from './server.js';

const LAG_LIMIT_S = 5;
const FORMATS = {
  csv: { type: 'text/csv', lines: csvFile },
  ndjson: { type: 'application/x-ndjson', lines: ndjsonFile },
} as const;
type Format = keyof typeof FORMATS;

/** Seconds. */
interface Run {
  /** From the worker's start of the session to its end. */
  work: number;
  /** From the first byte of the upload to the end. */
  all: number;
  /** From the end until the outbox is empty and every event stands in the log. */
  lag: number;
}

/** A file through upload and worker with every invariant and event, beside COPY and INSERT ... SELECT. */
export async function importFiles({ server, quick, say }: Bench): Promise<Measure[]> {
  const invoices = quick ? 10_000 : 100_000;
  const peer: number[] = [];
  const ours: Record<Format, Run[]> = { csv: [], ndjson: [] };
  for (let round = 0; round < (quick ? 2 : 3); round++) {
    for (const format of ['csv', 'ndjson'] as const) {
      const run = await importOnce(server, format, invoices);
      ours[format].push(run);
      say(
        `round ${round + 1}: ${format} ${short(run.work)} s, with upload ${short(run.all)} s, lag ${short(run.lag)} s`,
      );
    }
    peer.push(await peerOnce(server, invoices));
    say(`round ${round + 1}: COPY + INSERT ... SELECT ${short(peer.at(-1) ?? 0)} s`);
  }
  const perSecond = (seconds: number[]) => `${short(invoices / median(seconds))}/s`;
  const compare = (format: Format, part: 'work' | 'all', name: string): Measure => {
    const seconds = ours[format].map((run) => run[part]);
    return {
      benchmark: 'import',
      what: `${format} ${name} / COPY + INSERT..SELECT`,
      ours: perSecond(seconds),
      against: perSecond(peer),
      ...ratios(peer, seconds),
      target: { atLeast: 0.5 },
    };
  };
  const lag = (format: Format): Measure => {
    const seconds = ours[format].map((run) => run.lag);
    return {
      benchmark: 'import',
      what: `${format}: stream lag at its end / limit`,
      ours: `${short(median(seconds))} s`,
      against: `${LAG_LIMIT_S} s`,
      ratio: median(seconds) / LAG_LIMIT_S,
      rounds: seconds.map((s) => s / LAG_LIMIT_S),
      target: { atMost: 1 },
    };
  };
  return (['csv', 'ndjson'] as const).flatMap((format) => [
    compare(format, 'work', 'start to end'),
    compare(format, 'all', 'with upload'),
    lag(format),
  ]);
}

async function importOnce(server: BenchServer, format: Format, invoices: number): Promise<Run> {
  const { type, lines } = FORMATS[format];
  const database = await server.createDatabase();
  const api = await startApi(server, database);
  const worker = startWorker(server, database);
  try {
    await sleep(2_000);
    await server.settle();
    const before = Date.now();
    const session = await upload(api, type, inPieces(lines(invoices)));
    const end = await finished(database, session, true);
    const lag = await streamLag(database, invoices);
    await check(database, invoices);
    return { work: end.seconds, all: (end.at - before) / 1000, lag };
  } finally {
    await Promise.all([api.process.stop(), worker.stop()]);
    await server.dropDatabase(database);
  }
}

/** Waits until every event is in the log and says how long after the session's end the last one came. */
async function streamLag(database: string, invoices: number): Promise<number> {
  return connected(database, async (client) => {
    for (;;) {
      const { rows } = await client.query<{ done: boolean }>(
        `select coalesce((select seq from platform.stream_head where stream = 'sales-invoices'), 0) >= $1
            and not exists (select from platform.outbox) as done`,
        [invoices],
      );
      if (rows[0]?.done) break;
      await sleep(20);
    }
    const { rows } = await client.query<{ lag: number }>(
      `select greatest(0, extract(epoch from (select max(created_at) from platform.event where stream = 'sales-invoices')
         - (select max(finished_at) from platform.session)))::float8 as lag`,
    );
    return rows[0]?.lag ?? NaN;
  });
}

async function check(database: string, invoices: number): Promise<void> {
  const { rows } = await connected(database, (client) =>
    client.query<{ invoices: number; lines: number; events: number; listed: number; right: boolean }>(
      `select (select count(*)::int from sales.invoice) as invoices, (select count(*)::int from sales.invoice_item) as lines,
        (select count(*)::int from platform.event where stream = 'sales-invoices') as events,
        (select sum(n)::int from sales.invoice_count) as listed,
        (select sum(total_amount) from sales.invoice) = (select sum(round(quantity * mrp, 2)) from sales.invoice_item) as right`,
    ),
  );
  const [row] = rows;
  const whole =
    row?.invoices === invoices &&
    row.lines === invoices * LINES &&
    row.events === invoices &&
    row.listed === invoices;
  if (!whole || !row.right) throw new Error(`the import is not whole: ${JSON.stringify(row)}`);
}

async function peerOnce(server: BenchServer, invoices: number): Promise<number> {
  const database = await server.createDatabase();
  try {
    return await copyImport(database, () => server.settle(), inPieces(csvFile(invoices)));
  } finally {
    await server.dropDatabase(database);
  }
}
