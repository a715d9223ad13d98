import { createReadStream, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createGunzip } from 'node:zlib';
import type { Bench } from './bench.js';
import { finished, upload } from './file-import.js';
import { csvFile, inPieces, ndjsonFile } from './invoice-data.js';
import { type Measure, type Report, short } from './measure.js';
import { startApi, startWorker } from './product.js';

const LIMIT_MB = 300;
const SAMPLE_MS = 50;
const REAL_FILE = fileURLToPath(
  new URL('../../../shared/data/online-retail/online_retail.csv.gz', import.meta.url),
);
/** Headers of the real file by our fields. */
const REAL_MAP = {
  invoice_no: 'InvoiceNo',
  invoice_date: 'InvoiceDate',
  'customer.code': 'CustomerID',
  'items.item_code': 'StockCode',
  'items.name': 'Description',
  'items.quantity': 'Quantity',
  'items.mrp': 'UnitPrice',
};
/** Close below the limit of 64 MB. */
const FULL_CSV = 136_000;
const FULL_NDJSON = 125_000;

interface File {
  name: string;
  type: string;
  content: () => Iterable<Buffer> | AsyncIterable<Buffer>;
  query?: Record<string, string>;
  /** A real file has lines that are refused. */
  clean: boolean;
}

/** How much memory the worker takes for a file, whatever its size. */
export async function memory({ server, quick, say }: Bench): Promise<Report> {
  const share = quick ? 0.1 : 1;
  const files: File[] = [
    {
      name: 'generated CSV near 64 MB',
      type: 'text/csv',
      content: () => inPieces(csvFile(FULL_CSV * share)),
      clean: true,
    },
    {
      name: 'generated NDJSON near 64 MB',
      type: 'application/x-ndjson',
      content: () => inPieces(ndjsonFile(FULL_NDJSON * share)),
      clean: true,
    },
  ];
  const report: Report = [];
  if (!existsSync(REAL_FILE)) report.push({ benchmark: 'memory', why: `${REAL_FILE} is not there` });
  else {
    files.unshift({
      name: 'online_retail.csv',
      type: 'text/csv',
      content: () => createReadStream(REAL_FILE).pipe(createGunzip()),
      query: { map: JSON.stringify(REAL_MAP), default_customer_code: 'GUEST' },
      clean: false,
    });
  }
  for (const file of files) report.push(await measure({ server, quick, say }, file));
  return report;
}

async function measure({ server, say }: Bench, file: File): Promise<Measure> {
  const database = await server.createDatabase();
  const api = await startApi(server, database);
  const worker = startWorker(server, database);
  const samples: number[] = [];
  const sampling = setInterval(() => samples.push(worker.memory().now), SAMPLE_MS);
  try {
    const session = await upload(api, file.type, file.content(), file.query);
    const { state, seconds } = await finished(database, session, file.clean);
    // What the kernel saw between our samples.
    const { peak } = worker.memory();
    say(
      `${file.name}: ${state} in ${short(seconds)} s, worker ${short(Math.max(...samples))} MB sampled, ${short(peak)} MB peak`,
    );
    return {
      benchmark: 'memory',
      what: `worker's peak: ${file.name} / limit`,
      ours: `${short(peak)} MB`,
      against: `${LIMIT_MB} MB`,
      ratio: peak / LIMIT_MB,
      rounds: [peak / LIMIT_MB],
      target: { atMost: 1 },
    };
  } finally {
    clearInterval(sampling);
    await Promise.all([api.process.stop(), worker.stop()]);
    await server.dropDatabase(database);
  }
}
