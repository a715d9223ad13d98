import type { DeadLetterPage, ScheduleList } from '#modules/operations/operations.dto.js';
import { JobQueue } from '#platform/queue/job-queue.js';
import { type TestApi, startApi } from '#testing/app.js';
import type { Client } from '#testing/http-client.js';
import { expectRefused } from './sales-http.js';

let api: TestApi;
let operator: Client;
let viewer: Client;

beforeAll(async () => {
  api = await startApi({ worker: true, env: { LOG_LEVEL: 'silent' } });
  operator = await api.client('operator');
  viewer = await api.client('viewer');
});
afterAll(() => api.close());

const OPERATIONS = '/api/operations';
const audited = async (action: string) =>
  (
    await api.db.query<{ subject: string }>('select subject from platform.audit_log where action = $1', [
      action,
    ])
  ).map((row) => row.subject);

describe('schedules', () => {
  const schedule = async (name: string) =>
    (await viewer.get<ScheduleList>(`${OPERATIONS}/schedules`)).body.data.find((each) => each.name === name);

  it('say what runs by itself, how often and when next', async () => {
    const { status, body } = await viewer.get<ScheduleList>(`${OPERATIONS}/schedules`);
    expect(status).toBe(200);
    expect(body.data.map((each) => each.name).sort()).toEqual(['prune', 'sales.fold-count']);
    for (const each of body.data) {
      expect(each).toMatchObject({ paused: false, pattern: null, every_ms: expect.any(Number) });
      expect(Math.abs(Date.parse(each.next_run ?? '') - Date.now())).toBeLessThan(
        (each.every_ms ?? 0) + 5000,
      );
    }
  });

  it('are paused and go on again, which is recorded', async () => {
    expect((await operator.put(`${OPERATIONS}/schedules/prune`, { paused: true })).status).toBe(204);
    expect(await schedule('prune')).toMatchObject({ paused: true, next_run: null });
    expect((await operator.put(`${OPERATIONS}/schedules/prune`, { paused: true })).status).toBe(204);
    expect((await operator.put(`${OPERATIONS}/schedules/prune`, { paused: false })).status).toBe(204);
    expect(await schedule('prune')).toMatchObject({ paused: false, next_run: expect.any(String) });
    expect(await audited('operations.schedule_paused')).toContain('schedule:prune');
    expect(await audited('operations.schedule_resumed')).toEqual(['schedule:prune']);
  });

  it('run now when they are triggered', async () => {
    await api.db.execute(
      `insert into platform.event (stream, seq, body, created_at) values ('old', 1, '{}', now() - interval '90 days')`,
    );
    const { status, body } = await operator.post(`${OPERATIONS}/schedules/prune/trigger`);
    expect([status, body]).toEqual([202, { name: 'prune', status: 'queued' }]);
    while (await api.db.first(`select from platform.event where stream = 'old'`));
    expect(await audited('operations.schedule_triggered')).toEqual(['schedule:prune']);
  });

  it('unknown ones are 404, a wrong body is 400, a viewer only reads', async () => {
    expectRefused(await operator.put(`${OPERATIONS}/schedules/nothing`, { paused: true }), 404);
    expectRefused(await operator.post(`${OPERATIONS}/schedules/nothing/trigger`), 404);
    expectRefused(await operator.put(`${OPERATIONS}/schedules/prune`, { paused: 'yes' }), 400, 'paused');
    expectRefused(await operator.put(`${OPERATIONS}/schedules/prune`, {}), 400, 'paused');
    expectRefused(await viewer.put(`${OPERATIONS}/schedules/prune`, { paused: true }), 403);
    expectRefused(await viewer.post(`${OPERATIONS}/schedules/prune/trigger`), 403);
    expect(await schedule('prune')).toMatchObject({ paused: false });
  });
});

describe('dead letters', () => {
  const letters = async (query = '') =>
    (await viewer.get<DeadLetterPage>(`${OPERATIONS}/dead-letters${query}`)).body.data;

  /** A job whose payload no handler can work with, out of attempts. */
  async function failForGood(aggregateId: string): Promise<void> {
    const context = {
      correlationId: 'dead-letter',
      actor: { kind: 'system', id: null, label: 'system' },
      address: null,
    };
    const before = (await letters('?limit=200')).length;
    const data = { data: { id: '1', topic: 'x', type: 'x', aggregateId, body: null }, context };
    await api.app.get(JobQueue).queue('events').add('clean-up-session', data, { attempts: 1 });
    while ((await letters('?limit=200')).length === before);
  }

  it('are none at first', async () => expect(await letters()).toEqual([]));

  it('say what failed, why and when, newest first', async () => {
    await failForGood('not a session');
    await failForGood('nor this');
    const all = await letters();
    expect(all).toHaveLength(2);
    for (const letter of all) {
      expect(letter).toEqual({
        id: expect.stringMatching(/^events:/),
        queue: 'events',
        name: 'clean-up-session',
        reason: expect.stringContaining('uuid'),
        attempts: 1,
        failed_at: expect.stringMatching(/^\d{4}-.*Z$/),
      });
    }
    expect(all.map(({ failed_at }) => failed_at)).toEqual(
      [...all.map(({ failed_at }) => failed_at)].sort().reverse(),
    );
    expect(await letters('?limit=1')).toEqual([all[0]]);
  });

  it('are put back with fresh attempts, which is recorded', async () => {
    const [letter] = await letters();
    const { status } = await operator.post(
      `${OPERATIONS}/dead-letters/${encodeURIComponent(letter?.id ?? '')}/replay`,
    );
    expect(status).toBe(204);
    expect(await audited('operations.dead_letter_replayed')).toEqual([`job:${letter?.id}`]);
    let again = await letters();
    while (again.find(({ id }) => id === letter?.id)?.failed_at === letter?.failed_at)
      again = await letters();
    while (again.length < 2) again = await letters();
    expect(again.find(({ id }) => id === letter?.id)?.attempts).toBe(1);
  });

  it('unknown ones are 404, a wrong limit is 400, a viewer replays nothing', async () => {
    for (const id of ['events:nothing', 'nowhere:1', 'x'])
      expectRefused(await operator.post(`${OPERATIONS}/dead-letters/${id}/replay`), 404);
    expectRefused(await viewer.get(`${OPERATIONS}/dead-letters?limit=0`), 400, 'limit');
    expectRefused(await viewer.get(`${OPERATIONS}/dead-letters?cursor=x`), 400, 'cursor');
    expectRefused(await viewer.post(`${OPERATIONS}/dead-letters/events:1/replay`), 403);
  });
});
