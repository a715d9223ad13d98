import type { INestApplicationContext } from '@nestjs/common';
import type pg from 'pg';
import type { SessionBody, SessionPage } from '#modules/operations/list-sessions/list-sessions.query.js';
import { type TestApi, startApi, startWorker } from '#testing/app.js';
import type { Client } from '#testing/http-client.js';
import { SseReader } from '#testing/sse-reader.js';
import {
  NDJSON,
  anInvoice,
  ended,
  expectRefused,
  importFile,
  ndjson,
  otherProgram,
  pageOf,
  stored,
  upload,
} from './sales-http.js';

let api: TestApi;
let operator: Client;
let viewer: Client;
let worker: INestApplicationContext | undefined;
let other: pg.Client;
/** A session whose file disappears before a worker comes. */
let lost: string;

beforeAll(async () => {
  api = await startApi();
  operator = await api.client('operator');
  viewer = await api.client('viewer');
  other = await otherProgram(api);
});
afterAll(async () => {
  await worker?.close();
  await other.end();
  await api.close();
});

const started = async (invoices = 1) =>
  (await upload(operator, ndjson(...Array.from({ length: invoices }, () => anInvoice())), { type: NDJSON }))
    .body.session_id;
const one = (id: string) => viewer.get<SessionBody>(`/api/sessions/${id}`);
const cancel = (id: string) => operator.delete<SessionBody>(`/api/sessions/${id}`);
const follow = (id: string, lastEventId?: string) =>
  SseReader.open(`${api.url}/api/sessions/${id}/stream`, {
    ...viewer.headers,
    ...(lastEventId && { 'last-event-id': lastEventId }),
  });
const NOBODY = '00000000-0000-4000-8000-000000000000';
const isOver = ({ finished_at }: Record<string, unknown>) => finished_at !== null;
const seqOf = (id: string) => Number(id.split('.')[1]);

describe('before a worker is there', () => {
  it('a session waits, and shows all that is known of it', async () => {
    const id = await started();
    expect((await one(id)).body).toEqual({
      session_id: id,
      connection_id: null,
      kind: 'import',
      trigger: 'api',
      requested_by: 'test operator',
      entities: ['invoices'],
      state: 'initiated',
      progress: null,
      total: null,
      ...Object.fromEntries(
        [
          'processed',
          'created',
          'updated',
          'unchanged',
          'skipped',
          'failed',
          'conflicts',
          'api_calls',
          'rate_limit_hits',
        ].map((c) => [c, 0]),
      ),
      message: 'Waiting to start',
      error: null,
      resume_after: null,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      started_at: null,
      finished_at: null,
    });
    await cancel(id);
  });

  it('cancelled, it ends at once and is recorded', async () => {
    const id = await started();
    const { status, body } = await cancel(id);
    expect(status).toBe(200);
    expect(body).toMatchObject({ state: 'cancelled', finished_at: expect.any(String) });
    const audit = await api.db.query(
      `select actor_label from platform.audit_log where action = 'sync.session_cancelled' and subject = $1`,
      [`session:${id}`],
    );
    expect(audit).toEqual([{ actor_label: 'test operator' }]);
    const again = await cancel(id);
    expect(again).toMatchObject({ status: 200, body: { state: 'cancelled', finished_at: body.finished_at } });
  });

  it('cancelled, its readers see the terminal event once and the end', async () => {
    const id = await started();
    const reader = await follow(id);
    await reader.until(() => reader.events.length === 1);
    expect(reader.events[0]?.data).toMatchObject({ session_id: id, state: 'initiated' });
    await Promise.all([cancel(id), cancel(id), cancel(id)]);
    await reader.ended();
    expect(reader.events.map(({ data }) => data.state)).toEqual(['initiated', 'cancelled']);
    expect(reader.events.at(-1)?.id).toBe(`session-${id}.2`);
  });
});

describe('with a worker', () => {
  beforeAll(async () => {
    lost = await started();
    await api.db.execute('delete from sales.import_file where session_id = $1', [lost]);
    worker = await startWorker(api.database);
  });

  it('the files of sessions that never began are not kept', async () => {
    const kept = () =>
      api.db.first(
        `select 1 from sales.import_file f join platform.session s on s.id = f.session_id where s.state = 'cancelled'`,
      );
    while (await kept());
    expect(await kept()).toBeUndefined();
  });

  it('a reader sees a snapshot first, progress that never falls, and one terminal event', async () => {
    await other.query('begin');
    await other.query('lock table sales.invoice in exclusive mode');
    const id = await started(1200);
    const reader = await follow(id);
    await reader.until(() => reader.events.some(({ data }) => data.state === 'in_progress'));
    await other.query('commit');
    await reader.ended();
    const progress = reader.events.map(({ data }) => Number(data.progress));
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(reader.events.filter(({ data }) => isOver(data))).toHaveLength(1);
    expect(reader.events.at(-1)?.data).toMatchObject({
      state: 'completed',
      progress: 1,
      total: 1200,
      processed: 1200,
      created: 1200,
    });
    expect(reader.events.at(-1)?.data).toEqual((await one(id)).body);
    const numbers = reader.events.map(({ id: event }) => seqOf(event));
    expect(numbers).toEqual(numbers.map((_, i) => (numbers[0] ?? 0) + i));
  });

  describe('that is over', () => {
    let id: string;
    let all: string[];
    beforeAll(async () => {
      id = (
        await importFile(operator, ndjson(...Array.from({ length: 1100 }, () => anInvoice())), {
          type: NDJSON,
        })
      ).session_id;
      const reader = await follow(id, `session-${id}.0`);
      await reader.ended();
      all = reader.events.map((event) => event.id);
    });

    it('was told from its first event to its last', () => {
      expect(all[0]).toBe(`session-${id}.1`);
      expect(all.length).toBeGreaterThanOrEqual(5);
    });

    it('shows a snapshot and the terminal event, and ends', async () => {
      const reader = await follow(id);
      await reader.ended();
      expect(reader.events).toHaveLength(2);
      expect(reader.events.map(({ data }) => isOver(data))).toEqual([false, true]);
    });

    it('goes on behind the id that the reader has', async () => {
      const reader = await follow(id, all[2]);
      await reader.ended();
      expect(reader.events.map((event) => event.id)).toEqual(all.slice(3));
    });

    it('answers 204 to whoever has the terminal event', async () => {
      const reader = await follow(id, all.at(-1));
      expect(reader.status).toBe(204);
      await reader.ended();
      expect(reader.events).toEqual([]);
    });

    it('asked with the id of another session, gives the rest of that one and its end', async () => {
      const second = await started();
      await ended(viewer, second);
      const reader = await follow(second, all[1]);
      await reader.ended();
      expect(reader.events.map((event) => event.id)).toEqual(all.slice(2));
      expect((await follow(second, all.at(-1))).status).toBe(204);
    });

    it.each(['nonsense', 'sales-invoices.3', `session-${NOBODY}.1`, 'session-x.1'])(
      'takes the foreign id %s for none',
      async (last) => {
        const reader = await follow(id, last);
        await reader.ended();
        expect(reader.events.map((event) => event.id)).toEqual(all.slice(-2));
      },
    );

    it('with an id beyond its end says so and ends', async () => {
      const reader = await follow(id, `session-${id}.999`);
      await reader.ended();
      expect([200, 204]).toContain(reader.status);
    });

    it('cannot be cancelled any more', async () => {
      expect((await cancel(id)).body.state).toBe('completed');
      expect((await one(id)).body.state).toBe('completed');
    });

    it('whose events are not kept any more says so and still ends', async () => {
      await api.db.execute('delete from platform.event where stream = $1', [`session-${id}`]);
      const reader = await follow(id);
      await reader.until(() => reader.closed, 4000);
      expect(reader.events.at(-1)?.data).toMatchObject({ session_id: id, state: 'completed' });
      const late = await follow(id, all[1]);
      await late.until(() => late.closed, 4000);
    });
  });

  it('cancelled in the middle, it ends within a page; what was done stays', async () => {
    const id = await started(2500);
    await other.query('begin');
    await other.query('lock table sales.invoice in exclusive mode');
    const reader = await follow(id);
    await reader.until(() => reader.events.some(({ data }) => data.state === 'in_progress'));
    const asked = await cancel(id);
    expect(asked.body.state).toBe('cancelling');
    await other.query('commit');
    await reader.ended();
    const session = (await one(id)).body;
    expect(session).toMatchObject({ state: 'cancelled', error: null });
    expect(session.created).toBeLessThanOrEqual(500);
    expect(reader.events.at(-1)?.data.state).toBe('cancelled');
    expect(reader.events.filter(({ data }) => isOver(data))).toHaveLength(1);
    expect(await api.db.first('select 1 from sales.import_file where session_id = $1', [id])).toBeUndefined();
    expect(await stored(api)).toMatchObject({ import_fragment: 0, import_invoice: 0 });
    const { count } = (await pageOf(viewer)).body;
    const real = await api.db.first<{ n: string }>('select count(*) as n from sales.invoice');
    expect(count).toBe(Number(real?.n));
  });

  it('whose file is gone fails, and says why in words', async () => {
    const failed = await ended(viewer, lost);
    expect(failed).toMatchObject({
      state: 'failed',
      created: 0,
      error: expect.stringContaining('Send it again'),
    });
    const reader = await follow(lost);
    await reader.ended();
    expect(reader.events.at(-1)?.data).toEqual(failed);
  });
});

describe('the list of sessions', () => {
  const page = (query = '') => viewer.get<SessionPage>(`/api/sessions${query}`);

  it('shows all, newest first, by pages', async () => {
    const all = (await page('?limit=200')).body.data;
    expect(all.length).toBeGreaterThan(5);
    const created = all.map((session) => session.created_at);
    expect(created).toEqual([...created].sort().reverse());
    expect(all[0]).toEqual((await one(all[0]?.session_id ?? '')).body);
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { body }: { body: SessionPage } = await page(`?limit=2${cursor && `&cursor=${cursor}`}`);
      expect(body.data.length).toBeLessThanOrEqual(2);
      seen.push(...body.data.map((session) => session.session_id));
      cursor = body.page.next_cursor;
    }
    expect(seen).toEqual(all.map((session) => session.session_id));
  });

  it('filters by state and kind', async () => {
    const states = async (query: string) =>
      new Set((await page(query)).body.data.map((session) => session.state));
    expect(await states('?state=cancelled')).toEqual(new Set(['cancelled']));
    expect(await states('?state=failed&kind=import')).toEqual(new Set(['failed']));
    expect((await page('?kind=full')).body).toEqual({ data: [], page: { next_cursor: null, limit: 50 } });
  });

  it.each([
    ['state', '?state=done'],
    ['kind', '?kind=export'],
    ['limit', '?limit=0'],
    ['limit', '?limit=201'],
    ['cursor', '?cursor=x'],
    ['page', '?page=1'],
  ])('refuses a wrong %s: %s', async (field, query) => expectRefused(await page(query), 400, field));
});

describe('what is not there', () => {
  it.each(['', '/stream', '/outcomes'])('GET /api/sessions/{id}%s of an unknown one is 404', async (path) => {
    expectRefused(await viewer.get(`/api/sessions/${NOBODY}${path}`), 404);
    expectRefused(await viewer.get(`/api/sessions/not-an-id${path}`), 400, 'id');
  });

  it('cancelling an unknown one is 404, a viewer cancels nothing', async () => {
    expectRefused(await cancel(NOBODY), 404);
    expectRefused(await viewer.delete(`/api/sessions/${NOBODY}`), 403);
  });
});
