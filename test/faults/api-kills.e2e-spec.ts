import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ImportAnswer } from '#modules/sales/import-invoice/import-invoice.command.js';
import { faultsInFull } from '#platform/config/test-environment.js';
import { eventually } from '#testing/eventually.js';
import { type SingleInvoice, asRows, singleInvoice, totalOf } from '#testing/invoice-bodies.js';
import {
  ExpectedInvoices,
  differencesFrom,
  expectedOf,
  expectedSums,
  storedSums,
} from '#testing/invoice-expectations.js';
import { gapsInStreams, importsNotToldOnce, outboxIsEmpty } from '#testing/judges.js';
import { type Acknowledged, postUntilAnswered, together } from '#testing/persistent-client.js';
import { Product } from '#testing/product.js';
import { CSV_HEADER, madeUpFile, startImportOnce } from '#testing/retail.js';
import { say, seededRandom } from '#testing/seeded-random.js';

const full = faultsInFull();
const IMPORTS = full ? 200 : 40;
const KILLS = full ? 20 : 4;
const CLIENTS = 8;
/** Uploaded in the same storm. */
const FILES = full ? 20 : 4;
const PATH = '/api/sales/import/invoice/';

interface Sent {
  invoice: SingleInvoice;
  key: string | null;
  answer: Acknowledged<ImportAnswer>;
}

const random = seededRandom('api-kills', import.meta.jest.getSeed());
let product: Product;
let headers: { authorization: string };

import.meta.jest.setTimeout(full ? 600_000 : 120_000);
beforeAll(async () => {
  product = await Product.start({ apis: 1, workers: 1 });
  headers = await product.headers();
});
afterAll(() => product.close());

describe('an API that is killed during single imports', () => {
  it('stores what it acknowledged once, and a re-sent import makes no second row', async () => {
    const sent: Sent[] = [];
    const orders = Array.from({ length: IMPORTS }, (_, n) => ({
      invoice: singleInvoice(random, `S-${n + 1}`),
      key: random.chance(0.5) ? `key-${n + 1}` : null,
    }));
    let over = false;
    const load = together(CLIENTS, orders, async ({ invoice, key }) => {
      sent.push({ invoice, key, answer: await send(invoice, key) });
    }).finally(() => (over = true));
    const killer = killAtMoments(
      () => sent.length,
      () => over,
    );
    const [kills, files] = await Promise.all([killer, uploadFiles(() => sent.length), load]);
    const ambiguous = sent.filter(({ answer }) => answer.ambiguous > 0);
    say(
      `${kills} kills, ${ambiguous.length} of ${IMPORTS} without a first answer, ` +
        `${ambiguous.filter(({ answer }) => answer.status === 200).length} of them were stored by it`,
    );
    expect(kills).toBe(KILLS);
    // Kills that hit nobody would prove nothing.
    expect(ambiguous.length).toBeGreaterThan(0);
    expect(sent.filter(({ answer }) => ![200, 201].includes(answer.status))).toEqual([]);
    for (const { invoice, answer } of sent)
      expect(answer.body.data.total_amount).toBe(Number(totalOf(invoice)));

    await resend(sent);
    await judge(sent, files);
  });
});

function send(invoice: SingleInvoice, key: string | null): Promise<Acknowledged<ImportAnswer>> {
  return postUntilAnswered<ImportAnswer>(() => product.api().url, PATH, invoice, {
    ...headers,
    ...(key && { 'idempotency-key': key }),
  });
}

/** Uploads whose answer was lost are sent again by their key, and begin one session each. */
async function uploadFiles(answered: () => number): Promise<ExpectedInvoices> {
  const expected = new ExpectedInvoices();
  const sessions = new Set<string>();
  for (let n = 1; n <= FILES; n++) {
    while (answered() < (IMPORTS / FILES) * (n - 1)) await sleep(5);
    const csv = madeUpFile(random, { prefix: `F${n}-`, invoices: 50, lines: 200 });
    sessions.add(await startImportOnce(() => product.api().url, headers, csv, `file-${n}`));
    expected.add(await expectedOf(Readable.from([csv])));
  }
  expect(sessions.size).toBe(FILES);
  return expected;
}

/** Kills while requests are on their way: right after so many answers, and a little later. */
async function killAtMoments(answered: () => number, over: () => boolean): Promise<number> {
  let killed = 0;
  for (; killed < KILLS; killed++) {
    const moment = Math.floor(((killed + random.next()) / KILLS) * (IMPORTS - CLIENTS));
    while (answered() < moment && !over()) await sleep(1);
    if (over()) return killed;
    await sleep(random.between(0, 12));
    await product.api().kill();
    await product.api().start();
  }
  return killed;
}

/** Every import again: with its key the first answer word for word, without one 200. */
async function resend(sent: readonly Sent[]): Promise<void> {
  await together(CLIENTS, sent, async ({ invoice, key, answer }) => {
    const again = await send(invoice, key);
    expect(again.status).toBe(key ? answer.status : 200);
    expect(again.body.data).toEqual(answer.body.data);
  });
}

async function judge(sent: readonly Sent[], files: ExpectedInvoices): Promise<void> {
  const { sql } = product;
  expect(await sql.number('select count(*) from platform.session')).toBe(FILES);
  await eventually('the files are imported', async () =>
    sql.number(`select (count(*) = $1)::int from platform.session where state = 'completed'`, [FILES]),
  );
  const csv = [CSV_HEADER, ...sent.flatMap(({ invoice }) => asRows(invoice))].join('\n');
  const expected = (await expectedOf(Readable.from([csv]))).add(files);
  expect(await storedSums(sql)).toEqual(expectedSums(expected));
  expect(await differencesFrom(sql, expected)).toEqual([]);
  await eventually('all events are numbered', () => outboxIsEmpty(sql));
  expect(await gapsInStreams(sql)).toEqual([]);
  expect(await importsNotToldOnce(sql)).toEqual([]);
  // Who did it is recorded once as well, in the same transaction.
  const audited = await sql.rows(
    `select subject, count(*)::int as n from platform.audit_log where action = 'sales.invoice_imported'
     group by subject`,
  );
  expect(audited).toHaveLength(IMPORTS);
  expect(audited.filter(({ n }) => n !== 1)).toEqual([]);
}
