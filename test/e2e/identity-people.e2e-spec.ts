import { type TestApi, startApi } from '#testing/app.js';
import { type Ask, type Http, bearer, http } from './identity-http.js';
import { PASSWORD, type Person, audited, firstAdmin, logIn, person } from './identity-people.js';

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
const me = (token: string) => ask('GET', '/api/identity/me', { headers: bearer(token) });

describe('the first administrator', () => {
  it('was made by the system at the start, once', async () => {
    const [line, ...more] = await audited(ask, admin, 'identity.first_administrator_created');
    expect(more).toEqual([]);
    expect(line).toMatchObject({ actor_kind: 'system', subject: `user:${admin.id}` });
  });
});

describe('people', () => {
  it('are made, listed, shown, changed and removed', async () => {
    const body = { email: 'Ada@Example.com', name: ' Ada ', role: 'viewer', password: PASSWORD };
    const made = await asAdmin('POST', 'users', { body });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      email: 'ada@example.com',
      name: 'Ada',
      role: 'viewer',
      disabled: false,
      version: 1,
    });
    expect(made.text).not.toMatch(/password|argon/);
    const path = `users/${String(made.body.id)}`;

    const shown = await asAdmin('GET', path);
    expect(shown.body).toEqual(made.body);
    expect(shown.headers.get('etag')).toBe('"1"');
    const changed = await asAdmin('PATCH', path, {
      body: { role: 'operator' },
      headers: { 'if-match': '"1"' },
    });
    expect(changed.body).toMatchObject({ role: 'operator', version: 2 });
    const late = await asAdmin('PATCH', path, { body: { role: 'admin' }, headers: { 'if-match': '"1"' } });
    expect(late.status).toBe(412);

    expect((await asAdmin('DELETE', path)).status).toBe(204);
    expect((await asAdmin('GET', path)).status).toBe(404);
    expect((await asAdmin('DELETE', path)).status).toBe(404);
    const [line] = await audited(ask, admin, 'identity.user_changed');
    expect(line).toMatchObject({ actor_id: admin.id, details: { role: { from: 'viewer', to: 'operator' } } });
  });

  it('are listed newest first, page by page', async () => {
    const made: string[] = [];
    for (let n = 0; n < 3; n++) made.unshift((await person(ask, admin, 'viewer')).id);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const { status, body } = await asAdmin('GET', `users?limit=2${cursor ? `&cursor=${cursor}` : ''}`);
      expect(status).toBe(200);
      seen.push(...(body.data as { id: string }[]).map((row) => row.id));
      cursor = (body.page as { next_cursor: string | null }).next_cursor;
    } while (cursor);
    expect(seen.slice(0, 3)).toEqual(made);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toContain(admin.id);
  });

  it('have one e-mail address each, in any spelling', async () => {
    const body = { email: 'twice@example.com', role: 'viewer', password: PASSWORD };
    const [one, two] = await Promise.all([
      asAdmin('POST', 'users', { body }),
      asAdmin('POST', 'users', { body: { ...body, email: 'TWICE@example.com' } }),
    ]);
    expect([one?.status, two?.status].sort()).toEqual([201, 409]);
  });

  it('are made once for an Idempotency-Key', async () => {
    const body = { email: 'once@example.com', role: 'viewer', password: PASSWORD };
    const headers = { 'idempotency-key': 'once' };
    const first = await asAdmin('POST', 'users', { body, headers });
    const again = await asAdmin('POST', 'users', { body, headers });
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.body).toEqual(first.body);
  });

  it.each([
    [{ role: 'terminal' }, 'role'],
    [{ role: null }, 'role'],
    [{ disabled: 'yes' }, 'disabled'],
    [{ disabled: null }, 'disabled'],
    [{ password: 'short' }, 'password'],
    [{ name: '' }, 'name'],
    [{ name: 'a\u0000b' }, 'name'],
    [{ name: null }, 'name'],
    [{ email: 'new@example.com' }, 'email'],
  ])('cannot be changed to %j', async (body, field) => {
    const { status, body: problem } = await asAdmin('PATCH', `users/${admin.id}`, { body });
    expect(status).toBe(400);
    expect(problem.errors).toHaveProperty([field]);
  });

  it.each(['nothing', `' or 1=1`, '00000000-0000-4000-8000-000000000000'])('%s is nobody', async (id) => {
    expect((await asAdmin('GET', `users/${encodeURIComponent(id)}`)).status).toBe(404);
  });

  it.each([
    'x',
    'WyJ1c2VycyIsIngiLCJ5Il0',
    Buffer.from('["api_keys","2026-01-01","x"]').toString('base64url'),
  ])('cursor %s is refused', async (cursor) => {
    const { status, body } = await asAdmin('GET', `users?cursor=${cursor}`);
    expect([status, Object.keys(body.errors as object)]).toEqual([400, ['cursor']]);
  });
});

describe('the last enabled administrator', () => {
  it('stays, whoever asks and however', async () => {
    for (const body of [{ role: 'viewer' }, { disabled: true }]) {
      const { status, body: problem } = await asAdmin('PATCH', `users/${admin.id}`, { body });
      expect([status, problem.code]).toEqual([409, 'identity.last_admin']);
    }
    expect((await asAdmin('DELETE', `users/${admin.id}`)).status).toBe(409);
    expect(
      (await asAdmin('PATCH', `users/${admin.id}`, { body: { role: 'admin', name: 'Still me' } })).status,
    ).toBe(200);
  });

  it('stays when two remove each other at the same moment', async () => {
    for (let round = 0; round < 5; round++) {
      const other = await person(ask, admin, 'admin');
      const answers = await Promise.all([
        ask('PATCH', `/api/identity/users/${admin.id}`, {
          body: { role: 'viewer' },
          headers: bearer(other.access),
        }),
        ask('DELETE', `/api/identity/users/${other.id}`, { headers: bearer(admin.access) }),
      ]);
      const [left] = await api.db.query<{ n: number }>(
        `select count(*)::int as n from identity."user" where role = 'admin' and not disabled`,
      );
      expect(left?.n).toBe(1);
      expect(answers.filter((a) => a.status < 300)).toHaveLength(1);
      await api.db.execute(`update identity."user" set role = 'admin' where id = $1`, [admin.id]);
      await api.db.execute(`delete from identity."user" where id = $1`, [other.id]);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  });
});

describe('what is taken away is gone within a second', () => {
  it.each<[string, object | null, number]>([
    ['a role', { role: 'viewer' }, 403],
    ['access', { disabled: true }, 401],
    ['a password', { password: 'set by somebody else' }, 401],
    ['the person', null, 401],
  ])('%s', async (_what, change, expected) => {
    const operator = await person(ask, admin, 'admin');
    const list = () => ask('GET', '/api/identity/users', { headers: bearer(operator.access) });
    expect((await list()).status).toBe(200);
    if (change) await asAdmin('PATCH', `users/${operator.id}`, { body: change });
    else await asAdmin('DELETE', `users/${operator.id}`);
    expect((await list()).status).toBe(expected);
  });

  it('even when another program did it, without a notice', async () => {
    const viewer = await person(ask, admin, 'viewer');
    expect((await me(viewer.access)).status).toBe(200);
    await api.db.execute(`update identity."user" set disabled = true where id = $1`, [viewer.id]);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect((await me(viewer.access)).status).toBe(401);
  });

  it('and what is given comes at once; old sign-ins do not come back', async () => {
    const viewer = await person(ask, admin, 'viewer');
    await asAdmin('PATCH', `users/${viewer.id}`, { body: { disabled: true } });
    await asAdmin('PATCH', `users/${viewer.id}`, { body: { disabled: false, role: 'admin' } });
    expect((await me(viewer.access)).status).toBe(401);
    const again = await logIn(ask, viewer.email);
    expect((await ask('GET', '/api/identity/users', { headers: bearer(again.access) })).status).toBe(200);
  });
});
