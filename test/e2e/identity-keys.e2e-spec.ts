import { type TestApi, startApi } from '#testing/app.js';
import { type Ask, type Http, bearer, http } from './identity-http.js';
import { PASSWORD, type Person, audited, firstAdmin, person } from './identity-people.js';

let api: TestApi;
let ask: Http;
let admin: Person;

beforeAll(async () => {
  api = await startApi();
  ask = http(api.url);
  admin = await firstAdmin(ask, api.config);
});
afterAll(() => api.close());

const asAdmin = (method: string, path: string, more: Ask = {}) =>
  ask(method, `/api/identity/${path}`, { ...more, headers: { ...bearer(admin.access), ...more.headers } });

describe('API keys', () => {
  const make = (body: unknown) => asAdmin('POST', 'api-keys', { body });

  it('are shown once, stored hashed, and work as header and as bearer', async () => {
    const { status, body, headers } = await make({ name: 'Reports', role: 'viewer' });
    expect(status).toBe(201);
    expect(Object.keys(body).sort()).toEqual(['id', 'key']);
    expect(headers.get('cache-control')).toBe('no-store');
    const key = String(body.key);
    expect(key).toMatch(/^ins_[A-Za-z0-9_-]{43}$/);
    for (const sent of [{ 'x-api-key': key }, bearer(key)]) {
      const answer = await ask('GET', '/api/identity/me', { headers: sent });
      expect(answer.body).toMatchObject({
        kind: 'api_key',
        id: body.id,
        name: 'Reports',
        role: 'viewer',
        email: null,
      });
    }
    const listed = await asAdmin('GET', 'api-keys');
    expect(listed.text).not.toContain(key);
    expect(listed.body.data).toContainEqual(
      expect.objectContaining({
        id: body.id,
        hint: `${key.slice(0, 8)}…`,
        created_by: admin.email,
        last_used_at: expect.any(String) as string,
      }),
    );
    const dump = await api.db.query<{ row: string }>(`select k::text as row from identity.api_key k`);
    expect(JSON.stringify(dump)).not.toContain(key.slice(8));

    expect((await asAdmin('DELETE', `api-keys/${String(body.id)}`)).status).toBe(204);
    expect((await ask('GET', '/api/identity/me', { headers: bearer(key) })).status).toBe(401);
    expect((await asAdmin('DELETE', `api-keys/${String(body.id)}`)).status).toBe(404);
  });

  it('of a terminal name it, and others do not', async () => {
    expect((await make({ name: 'Till', role: 'terminal', terminal_id: 'POS-001' })).status).toBe(201);
    expect((await make({ name: 'Till', role: 'terminal' })).body.errors).toHaveProperty('terminal_id');
    expect((await make({ name: 'Till', role: 'viewer', terminal_id: 'POS-001' })).body.errors).toHaveProperty(
      'terminal_id',
    );
    expect((await make({ name: 'Till', role: 'owner' })).body.errors).toHaveProperty('role');
  });

  it('have no sign-in to end and no password', async () => {
    const { body } = await make({ name: 'Machine', role: 'operator' });
    const headers = bearer(body.key);
    expect((await ask('POST', '/api/identity/logout', { headers })).status).toBe(409);
    const change = { current_password: PASSWORD, new_password: PASSWORD };
    expect((await ask('PATCH', '/api/identity/me', { headers, body: change })).status).toBe(409);
  });

  it.each(['', 'ins_', 'x', 'ins_' + 'a'.repeat(43), 'ins_' + 'a'.repeat(4000)])(
    'key %.20s: 401',
    async (key) => {
      expect((await ask('GET', '/api/identity/me', { headers: { 'x-api-key': key } })).body.code).toBe(
        'access.invalid_token',
      );
    },
  );
});

describe('the audit log', () => {
  it('filters, and refuses what it does not know', async () => {
    const viewer = await person(ask, admin, 'viewer');
    const list = async (query: string) =>
      (await asAdmin('GET', `audit?${query}`)).body.data as { action: string; at: string }[];
    const today = new Date().toISOString().slice(0, 10);
    const bySubject = await list(`subject=user:${viewer.id}`);
    expect(bySubject.map((line) => line.action)).toEqual(['identity.signed_in', 'identity.user_created']);
    expect(await list(`subject=user:${viewer.id}&date_from=${today}&date_to=${today}`)).toHaveLength(2);
    expect(await list(`subject=user:${viewer.id}&date_to=2020-01-01`)).toEqual([]);
    expect((await list(`actor_id=${viewer.id}`)).map((line) => line.action)).toEqual(['identity.signed_in']);
    for (const bad of ['who=me', 'date_from=2026-02-30', 'limit=201', 'limit=0', 'action=%00', 'cursor=x']) {
      expect((await asAdmin('GET', `audit?${bad}`)).status).toBe(400);
    }
  });

  it('pages backwards without gap', async () => {
    const all = (await asAdmin('GET', 'audit?limit=200')).body.data as { id: string }[];
    const first = await asAdmin('GET', 'audit?limit=3');
    const { next_cursor } = first.body.page as { next_cursor: string };
    const second = await asAdmin('GET', `audit?limit=3&cursor=${next_cursor}`);
    const ids = [first, second].flatMap((page) => (page.body.data as { id: string }[]).map((row) => row.id));
    expect(ids).toEqual(all.slice(0, 6).map((row) => row.id));
  });

  it('cannot be changed, not even by SQL', async () => {
    for (const sql of [
      'update platform.audit_log set action = $1',
      'delete from platform.audit_log where action <> $1',
    ]) {
      await expect(api.db.execute(sql, ['x'])).rejects.toThrow('append-only');
    }
    await expect(api.db.execute('truncate platform.audit_log')).rejects.toThrow('append-only');
  });

  it('tells who, from where, and with which request', async () => {
    await ask('POST', '/api/identity/users', {
      body: { email: 'traced@example.com', role: 'viewer', password: PASSWORD },
      headers: { ...bearer(admin.access), 'x-correlation-id': 'trace-0001' },
    });
    const [line] = await audited(ask, admin, 'identity.user_created');
    expect(line).toMatchObject({
      actor_kind: 'user',
      actor_id: admin.id,
      actor_label: admin.email,
      correlation_id: 'trace-0001',
      address: expect.stringMatching(/127\.0\.0\.1|::1/) as string,
    });
  });
});
