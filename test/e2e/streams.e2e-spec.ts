import { setTimeout as sleep } from 'node:timers/promises';
import { type TestApi, startApi } from '#testing/app.js';
import type { Client } from '#testing/http-client.js';
import { SseReader } from '#testing/sse-reader.js';
import { IMPORT, LIST, STREAM, anInvoice, expectRefused, imported } from './sales-http.js';

let api: TestApi;
let second: TestApi;
let operator: Client;
let viewer: Client;

beforeAll(async () => {
  api = await startApi({ worker: true, env: { SSE_KEEPALIVE_MS: '200' } });
  second = await startApi({ database: api.database });
  operator = await api.client('operator');
  viewer = await api.client('viewer');
});
afterAll(async () => {
  await second.close();
  await api.close();
});

const open = (headers: Record<string, string> = viewer.headers, url = api.url) =>
  SseReader.open(url + STREAM, headers);
const from = (lastEventId: string, url = api.url) =>
  open({ ...viewer.headers, 'last-event-id': lastEventId }, url);
const numbers = (reader: SseReader) => reader.events.map(({ data }) => data.invoice_no);
const seqOf = (id: string | undefined) => Number(id?.split('.')[1]);
/** The id of the newest event of the stream. */
async function head(): Promise<string> {
  const row = await api.db.first<{ seq: string }>(
    `select seq from platform.stream_head where stream = 'sales-invoices'`,
  );
  return `sales-invoices.${row?.seq ?? 0}`;
}

/** An event that is in the log although this process has not heard of it yet. */
const unannounced = (seq: number) =>
  api.db.execute(
    `with head as (update platform.stream_head set seq = $1 where stream = 'sales-invoices')
     insert into platform.event (stream, seq, body) values ('sales-invoices', $1, '{"invoice_no":"AHEAD","type":"invoice_imported"}')`,
    [seq],
  );

describe('the invoice stream', () => {
  it('has the headers that keep proxies from touching it', async () => {
    const abort = new AbortController();
    const { status, headers } = await fetch(api.url + STREAM, {
      headers: viewer.headers,
      signal: abort.signal,
    });
    abort.abort();
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(headers.get('cache-control')).toMatch(/no-cache.*no-transform|no-transform.*no-cache/);
    expect(headers.get('x-accel-buffering')).toBe('no');
  });

  it('is made of unnamed messages: id and one line of JSON, as EventSource reads it', async () => {
    const abort = new AbortController();
    const response = await fetch(api.url + STREAM, { headers: viewer.headers, signal: abort.signal });
    await imported(operator, { invoice_no: 'WIRE-1', remarks: 'two\nlines' });
    let text = '';
    for await (const part of response.body ?? []) {
      text += Buffer.from(part as Uint8Array).toString();
      if (text.includes('WIRE-1')) break;
    }
    abort.abort();
    const frame = text.split('\n\n').find((f) => f.includes('WIRE-1')) ?? '';
    expect(frame.split('\n')).toEqual([
      expect.stringMatching(/^id: sales-invoices\.\d+$/),
      expect.stringMatching(/^data: \{.*\}$/),
    ]);
    expect(text).not.toContain('event:');
  });

  it('begins at the present', async () => {
    await imported(operator, { invoice_no: 'PAST-1' });
    const settled = await open();
    await imported(operator, { invoice_no: 'SETTLED-1' });
    await settled.until(() => numbers(settled).includes('SETTLED-1'));
    const reader = await open();
    await imported(operator, { invoice_no: 'NOW-1' });
    await reader.until(() => reader.events.length > 0);
    expect(numbers(reader)).toEqual(['NOW-1']);
    await Promise.all([reader.cut(), settled.cut()]);
  });

  it('tells import, change and delete, in order, to every reader alike', async () => {
    const readers = await Promise.all([
      open(),
      open(),
      open(operator.headers),
      open(viewer.headers, second.url),
    ]);
    const id = await imported(operator, { invoice_no: 'LIFE-1' });
    const told = (count: number) =>
      Promise.all(readers.map((reader) => reader.until(() => reader.events.length >= count)));
    await told(1);
    await operator.patch(`${LIST}${id}`, { remarks: 'changed' });
    await told(2);
    await operator.post(`${LIST}${id}/items`, { items: [{ name: 'more', quantity: 1, mrp: 1 }] });
    await told(3);
    await operator.delete(`${LIST}${id}`);
    await told(4);
    for (const reader of readers) {
      expect(reader.events.map(({ data }) => [data.invoice_no, data.type])).toEqual([
        ['LIFE-1', 'invoice_imported'],
        ['LIFE-1', 'invoice_updated'],
        ['LIFE-1', 'invoice_updated'],
        ['LIFE-1', 'invoice_deleted'],
      ]);
      expect(reader.events).toEqual(readers[0]?.events);
      expect(reader.events.map((event) => seqOf(event.id) - seqOf(reader.events[0]?.id))).toEqual([
        0, 1, 2, 3,
      ]);
    }
    expect(readers[0]?.events[1]?.data).toMatchObject({ remarks: 'changed', items: [{}] });
    await Promise.all(readers.map((reader) => reader.cut()));
  });

  it('tells nothing of what was refused or repeated', async () => {
    const reader = await open();
    const invoice = anInvoice({ invoice_no: 'TWICE-1' });
    await operator.post(IMPORT, invoice);
    await operator.post(IMPORT, invoice);
    await operator.post(IMPORT, { ...invoice, remarks: 'other' });
    await operator.post(IMPORT, { ...anInvoice(), items: [] });
    await imported(operator, { invoice_no: 'AFTER-1' });
    await reader.until(() => numbers(reader).includes('AFTER-1'));
    expect(numbers(reader)).toEqual(['TWICE-1', 'AFTER-1']);
    await reader.cut();
  });

  it('replays what was missed by Last-Event-ID, from any process', async () => {
    const reader = await open();
    await imported(operator, { invoice_no: 'CUT-0' });
    await reader.until(() => reader.events.length === 1);
    await reader.cut();
    for (const n of [1, 2, 3]) await imported(operator, { invoice_no: `CUT-${n}` });
    const again = await Promise.all([from(reader.lastId ?? ''), from(reader.lastId ?? '', second.url)]);
    await imported(operator, { invoice_no: 'CUT-4' });
    for (const resumed of again) {
      await resumed.until(() => resumed.events.length === 4);
      expect(numbers(resumed)).toEqual(['CUT-1', 'CUT-2', 'CUT-3', 'CUT-4']);
      await resumed.cut();
    }
  });

  it.each(['garbage', 'session-00000000-0000-4000-8000-000000000000.3', '7', ''])(
    'takes the foreign id "%s" for none',
    async (last) => {
      const reader = await from(last);
      const number = `FOREIGN-${last.length}`;
      await imported(operator, { invoice_no: number });
      await reader.until(() => reader.events.length > 0);
      expect(numbers(reader)).toEqual([number]);
      await reader.cut();
    },
  );

  it('says reset to an id beyond its head, and goes on from there', async () => {
    const reader = await from('sales-invoices.999999999999');
    await reader.until(() => reader.events.length === 1);
    expect(reader.events[0]).toMatchObject({ id: await head(), data: { reset: true } });
    await imported(operator, { invoice_no: 'AFTER-RESET' });
    await reader.until(() => reader.events.length === 2);
    expect(numbers(reader)[1]).toBe('AFTER-RESET');
    await reader.cut();
  });

  it('says reset to an id older than what is kept, then tells all that is', async () => {
    for (const n of [1, 2, 3]) await imported(operator, { invoice_no: `KEPT-${n}` });
    const probe = await from('sales-invoices.1');
    await probe.until(() => numbers(probe).includes('KEPT-3'));
    await probe.cut();
    const oldest = seqOf(probe.lastId) - 1;
    await api.db.execute(`delete from platform.event where stream = 'sales-invoices' and seq < $1`, [oldest]);
    for (const url of [api.url, second.url]) {
      const reader = await from('sales-invoices.1', url);
      await reader.until(() => reader.events.length === 3);
      expect(reader.events[0]).toEqual({
        id: `sales-invoices.${oldest - 1}`,
        data: { reset: true, message: expect.any(String) },
      });
      expect(numbers(reader).slice(1)).toEqual(['KEPT-2', 'KEPT-3']);
      const exact = await from(`sales-invoices.${oldest - 1}`, url);
      await exact.until(() => exact.events.length === 2);
      expect(numbers(exact)).toEqual(['KEPT-2', 'KEPT-3']);
      await Promise.all([reader.cut(), exact.cut()]);
    }
  });

  it('does not say reset to a reader that is ahead of this process by an instant', async () => {
    // Another process told the event already; here the notice is still on its way.
    const near = await open();
    await imported(operator, { invoice_no: 'NEAR-0' });
    await near.until(() => near.events.length === 1);
    for (let round = 0; round < 5; round++) {
      const seq = seqOf(await head()) + 1;
      await unannounced(seq);
      const ahead = await from(`sales-invoices.${seq}`);
      await imported(operator, { invoice_no: `NEAR-${round + 1}` });
      await ahead.until(() => numbers(ahead).includes(`NEAR-${round + 1}`));
      expect(numbers(ahead)).toEqual([`NEAR-${round + 1}`]);
      await ahead.cut();
    }
    await near.cut();
  });

  it('tells nothing twice to a reader that comes while an event is on its way', async () => {
    const before = seqOf(await head());
    const first = await open();
    await first.until(() => first.comments >= 3);
    await unannounced(before + 1);
    const late = await from(`sales-invoices.${before - 1}`);
    await imported(operator, { invoice_no: 'LATE-1' });
    await late.until(() => numbers(late).includes('LATE-1'));
    expect(late.events.map((event) => seqOf(event.id))).toEqual([before, before + 1, before + 2]);
    await Promise.all([first.cut(), late.cut()]);
  });

  it('loses and repeats nothing for readers that are cut all the time', async () => {
    const start = await head();
    const wanted = Array.from({ length: 60 }, (_, i) => `STORM-${i}`);
    let writing = true;
    const write = (async () => {
      for (const number of wanted) await imported(operator, { invoice_no: number });
      writing = false;
    })();
    const read = async (index: number) => {
      const seen: unknown[] = [];
      let last = start;
      for (let turn = 0; writing || seen.length < wanted.length; turn++) {
        const reader = await from(last, (turn + index) % 2 ? second.url : api.url);
        const until = Date.now() + 5 + ((turn * 7 + index * 13) % 40);
        while (Date.now() < until) await sleep(3);
        await reader.cut();
        seen.push(...numbers(reader));
        last = reader.lastId ?? last;
      }
      return seen;
    };
    const [, ...all] = await Promise.all([write, ...Array.from({ length: 8 }, (_, i) => read(i))]);
    for (const seen of all) expect(seen).toEqual(wanted);
  });

  it('says it is alive at every beat', async () => {
    const reader = await open();
    await reader.until(() => reader.comments >= 4, 3000);
    expect(reader.events).toEqual([]);
    await reader.cut();
  });

  it('says it is alive each second where nothing else was set', async () => {
    const reader = await open(viewer.headers, second.url);
    const began = Date.now();
    const first = reader.comments;
    await reader.until(() => reader.comments >= first + 2, 4000);
    expect(Date.now() - began).toBeLessThan(2500);
    await reader.cut();
  });
});

describe('who may read', () => {
  it('nobody without an identity, or with a broken one', async () => {
    expectRefused(await operator.get(STREAM, { authorization: '' }), 401);
    expectRefused(await operator.get(STREAM, { authorization: 'Bearer nonsense' }), 401);
    expectRefused(await (await api.client('terminal')).get(STREAM), 403);
  });

  it('whoever has a ticket, in the URL as EventSource needs it', async () => {
    const { body } = await viewer.post<{ ticket: string }>('/api/identity/stream-ticket', { path: STREAM });
    const url = `${api.url}${STREAM}?ticket=${body.ticket}`;
    const reader = await SseReader.open(url);
    expect(reader.status).toBe(200);
    await imported(operator, { invoice_no: 'TICKET-1' });
    await reader.until(() => reader.events.length === 1);
    await reader.cut();
    await imported(operator, { invoice_no: 'TICKET-2' });
    const again = await SseReader.open(url, { 'last-event-id': reader.lastId ?? '' });
    await again.until(() => numbers(again).includes('TICKET-2'));
    await again.cut();
  });

  it('a revoked key is cut within a beat, others go on', async () => {
    const admin = await api.client('admin');
    const made = await admin.post<{ id: string; key: string }>('/api/identity/api-keys', {
      name: 'short',
      role: 'viewer',
    });
    const key = { 'x-api-key': made.body.key };
    const [reader, elsewhere, stays] = await Promise.all([open(key), open(key, second.url), open()]);
    expect([reader.status, elsewhere.status]).toEqual([200, 200]);
    const { status } = await admin.delete(`/api/identity/api-keys/${made.body.id}`);
    expect(status).toBe(204);
    await reader.until(() => reader.closed, 1500);
    await elsewhere.until(() => elsewhere.closed, 2500);
    expect(stays.closed).toBe(false);
    expect((await open(key)).status).toBe(401);
    await stays.cut();
  });
});

describe('SALES_PUBLIC_READ', () => {
  let shop: TestApi;
  beforeAll(
    async () => (shop = await startApi({ database: api.database, env: { SALES_PUBLIC_READ: 'true' } })),
  );
  afterAll(() => shop.close());
  const anonymous = (method: string, path: string) =>
    fetch(shop.url + path, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(method !== 'GET' && { body: '{}' }),
    });

  it('opens list and stream as the seed has them', async () => {
    expect((await anonymous('GET', `${LIST}?page_size=5`)).status).toBe(200);
    const reader = await SseReader.open(shop.url + STREAM);
    expect(reader.status).toBe(200);
    await imported(operator, { invoice_no: 'OPEN-1' });
    await reader.until(() => numbers(reader).includes('OPEN-1'));
    await reader.cut();
  });

  it('opens nothing else', async () => {
    const id = await imported(operator);
    const others: [string, string][] = [
      ['GET', `${LIST}${id}/`],
      ['PUT', `${LIST}${id}/`],
      ['PATCH', `${LIST}${id}/`],
      ['DELETE', `${LIST}${id}/`],
      ['POST', `${LIST}${id}/items/`],
      ['POST', IMPORT],
      ['GET', '/api/sessions'],
      ['GET', '/api/identity/me'],
      ['GET', '/metrics'],
    ];
    for (const [method, path] of others)
      expect({ method, path, status: (await anonymous(method, path)).status }).toEqual({
        method,
        path,
        status: 401,
      });
  });

  it('a wrong token is still wrong, a right one still works', async () => {
    const wrong = await fetch(shop.url + LIST, { headers: { authorization: 'Bearer nonsense' } });
    expect(wrong.status).toBe(401);
    expect((await fetch(shop.url + LIST, { headers: viewer.headers })).status).toBe(200);
  });

  it('is off by default', async () => {
    expect((await fetch(api.url + LIST)).status).toBe(401);
    expect((await fetch(api.url + STREAM)).status).toBe(401);
  });
});
