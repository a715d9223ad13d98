import { createHmac } from 'node:crypto';
import { SignJWT, UnsecuredJWT, decodeJwt, decodeProtectedHeader } from 'jose';
import { type TestApi, startApi } from '#testing/app.js';
import { type Http, bearer, http } from './identity-http.js';
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

const me = (token: string) => ask('GET', '/api/identity/me', { headers: bearer(token) });
const login = (body: unknown) => ask('POST', '/api/identity/login', { body });
const refresh = (refresh_token: string) => ask('POST', '/api/identity/refresh', { body: { refresh_token } });

describe('signing in', () => {
  it('answers with a pair of tokens and is not cached', async () => {
    const { status, body, headers } = await login({
      email: ` ${admin.email.toUpperCase()} `,
      password: api.config.admin?.password,
    });
    expect(status).toBe(200);
    expect(Object.keys(body).sort()).toEqual(['access_token', 'expires_in', 'refresh_token', 'token_type']);
    expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 900 });
    expect(headers.get('cache-control')).toBe('no-store');
    expect(decodeProtectedHeader(String(body.access_token)).alg).toBe('HS256');
    const claims = decodeJwt(String(body.access_token));
    expect(Number(claims.exp) - Number(claims.iat)).toBe(900);
    expect(claims).not.toHaveProperty('role');
  });

  it('tells a wrong password, an unknown and a disabled account apart to nobody', async () => {
    const viewer = await person(ask, admin, 'viewer');
    const wrong = await login({ email: viewer.email, password: 'not the password' });
    const unknown = await login({ email: 'nobody@example.com', password: PASSWORD });
    await ask('PATCH', `/api/identity/users/${viewer.id}`, {
      body: { disabled: true },
      headers: bearer(admin.access),
    });
    const disabled = await login({ email: viewer.email, password: PASSWORD });
    for (const { status, body, headers } of [wrong, unknown, disabled]) {
      expect(status).toBe(401);
      expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
      expect(body).toMatchObject({ code: 'identity.invalid_credentials', success: false, status_code: 401 });
      expect(body.message).toBe(wrong.body.message);
    }
    const refusals = await audited(ask, admin, 'identity.sign_in_refused');
    expect(refusals.map((r) => r.details.reason).slice(0, 3)).toEqual([
      'disabled',
      'wrong_credentials',
      'wrong_credentials',
    ]);
    expect(JSON.stringify(refusals)).not.toContain('not the password');
  });

  it('takes about as long for an unknown account as for a wrong password', async () => {
    const time = async (email: string) => {
      const from = performance.now();
      await login({ email, password: 'not the password' });
      return performance.now() - from;
    };
    const people = await Promise.all([1, 2, 3].map(() => person(ask, admin, 'viewer')));
    const known: number[] = [];
    const unknown: number[] = [];
    for (const { email } of people) {
      known.push(await time(email));
      unknown.push(await time(`no-${email}`));
    }
    const [a = 0, b = 0] = [known, unknown].map((times) => Math.min(...times));
    expect(Math.min(a, b)).toBeGreaterThan(Math.max(a, b) / 2.5);
  });

  it.each([
    [{}, ['email', 'password']],
    [{ email: 'no address', password: 'x' }, ['email']],
    [{ email: 'a@b.example', password: 12345678901 }, ['password']],
    [{ email: ['a@b.example'], password: PASSWORD }, ['email']],
    [{ email: { $gt: '' }, password: PASSWORD }, ['email']],
    [{ email: 'a@b.example', password: PASSWORD, admin: true }, ['admin']],
    [{ email: 'a@b.example', password: 'x'.repeat(201) }, ['password']],
  ])('refuses %j as malformed', async (body, fields) => {
    const answer = await login(body);
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.body.errors as object).sort()).toEqual(fields);
  });
});

describe('too many failures', () => {
  it('close an account to the address that made them, however many at once, and say until when', async () => {
    const { email } = await person(ask, admin, 'viewer');
    const tries = await Promise.all(
      Array.from({ length: 12 }, () => login({ email, password: 'not the password' })),
    );
    expect(tries.filter((t) => t.status === 401)).toHaveLength(5);
    const refused = tries.find((t) => t.status === 429);
    expect(refused?.body).toMatchObject({ code: 'identity.too_many_attempts' });
    expect(refused?.body.message).toMatch(/Try again in 15 minutes \(at \d{4}-\d\d-\d\d \d\d:\d\d UTC\)/);
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(800);
    expect((await login({ email, password: PASSWORD })).status).toBe(429);
    const lines = await audited(ask, admin, 'identity.sign_in_refused');
    const ours = lines.filter((line) => line.details.email === email);
    expect(ours.map((line) => line.details.reason).sort()).toEqual(
      ['too_many_attempts:pair', ...Array<string>(5).fill('wrong_credentials')].sort(),
    );
  });

  it('are forgotten with the right password', async () => {
    const { email } = await person(ask, admin, 'viewer');
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 4; n++) await login({ email, password: 'not the password' });
      expect((await login({ email, password: PASSWORD })).status).toBe(200);
    }
  });
});

describe('refreshing', () => {
  it('gives a new pair each time; a token that comes back ends them all', async () => {
    const viewer = await person(ask, admin, 'viewer');
    const second = await refresh(viewer.refresh);
    expect(second.status).toBe(200);
    expect(second.body.refresh_token).not.toBe(viewer.refresh);
    const third = await refresh(String(second.body.refresh_token));
    expect((await me(String(third.body.access_token))).status).toBe(200);

    const reused = await refresh(viewer.refresh);
    expect(reused.status).toBe(401);
    expect(reused.body.code).toBe('identity.invalid_refresh_token');
    expect((await refresh(String(third.body.refresh_token))).status).toBe(401);
    expect((await me(String(third.body.access_token))).status).toBe(401);
    expect((await me(viewer.access)).status).toBe(401);
    const [line] = await audited(ask, admin, 'identity.refresh_token_reused');
    expect(line?.subject).toBe(`user:${viewer.id}`);
  });

  it('leaves other sign-ins of the same person alone', async () => {
    const one = await person(ask, admin, 'viewer');
    const other = await logIn(ask, one.email);
    await refresh(one.refresh);
    await refresh(one.refresh);
    expect((await me(other.access)).status).toBe(200);
    expect((await refresh(other.refresh)).status).toBe(200);
  });

  it('is done once however many ask at the same moment', async () => {
    const viewer = await person(ask, admin, 'viewer');
    const answers = await Promise.all(Array.from({ length: 6 }, () => refresh(viewer.refresh)));
    expect(answers.filter((a) => a.status === 200).length).toBeLessThanOrEqual(1);
    const [live] = await api.db.query<{ n: number }>(
      `select count(*)::int as n from identity.session where user_id = $1 and revoked_at is null`,
      [viewer.id],
    );
    expect(live?.n).toBe(0);
  });

  it('ends with the idle time, and with a disabled person', async () => {
    const idle = await person(ask, admin, 'viewer');
    await api.db.execute(
      `update identity.session set last_used_at = last_used_at - interval '7 days 1 minute' where user_id = $1`,
      [idle.id],
    );
    expect((await refresh(idle.refresh)).status).toBe(401);
    const disabled = await person(ask, admin, 'viewer');
    await ask('PATCH', `/api/identity/users/${disabled.id}`, {
      body: { disabled: true },
      headers: bearer(admin.access),
    });
    expect((await refresh(disabled.refresh)).status).toBe(401);
  });

  it.each(['', 'garbage', 'insr_' + 'a'.repeat(43)])('refuses %j', async (token) => {
    expect((await refresh(token)).status).toBe(401);
  });

  it('keeps no token in the database', async () => {
    const viewer = await person(ask, admin, 'viewer');
    const [found] = await api.db.query(
      `select 1 from identity.refresh_token where position($1::bytea in hash) > 0`,
      [Buffer.from(viewer.refresh)],
    );
    expect(found).toBeUndefined();
  });
});

describe('access tokens that are not ours, or not any more', () => {
  const forge = (claims: Record<string, unknown>, secret: Uint8Array) =>
    new SignJWT({ ...decodeJwt(admin.access), ...claims }).setProtectedHeader({ alg: 'HS256' }).sign(secret);
  const unsigned = () => {
    const { iss = '', aud = '', sub = '', sid } = decodeJwt<{ sid: string }>(admin.access);
    return new UnsecuredJWT({ sid })
      .setIssuer(iss)
      .setAudience(aud)
      .setSubject(sub)
      .setExpirationTime('1h')
      .encode();
  };
  const now = () => Math.floor(Date.now() / 1000);
  const noneByHand = () => {
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    return `${part({ alg: 'none', typ: 'JWT' })}.${admin.access.split('.')[1] ?? ''}.`;
  };
  const hs512 = () => {
    const text = `${Buffer.from('{"alg":"HS512"}').toString('base64url')}.${admin.access.split('.')[1] ?? ''}`;
    return `${text}.${createHmac('sha512', api.config.jwtSecret).update(text).digest('base64url')}`;
  };
  const altered = () => admin.access.replace(/\.(.)/, (_, c) => `.${c === 'e' ? 'f' : 'e'}`);

  it.each<[string, () => string | Promise<string>]>([
    ['expired', () => forge({ exp: now() - 1 }, api.config.jwtSecret)],
    ['signed with another key', () => forge({}, new TextEncoder().encode('x'.repeat(40)))],
    ['signed with our key by another algorithm', hs512],
    ['unsigned', unsigned],
    ['unsigned, by hand', noneByHand],
    ['without an end', () => forge({ exp: undefined }, api.config.jwtSecret)],
    ['for another audience', () => forge({ aud: 'another' }, api.config.jwtSecret)],
    ['of another issuer', () => forge({ iss: 'another' }, api.config.jwtSecret)],
    [
      'of another person than its sign-in',
      () => forge({ sub: '00000000-0000-4000-8000-000000000000' }, api.config.jwtSecret),
    ],
    ['of no sign-in', () => forge({ sid: undefined }, api.config.jwtSecret)],
    ['with a sign-in that is no id', () => forge({ sid: `' or 1=1` }, api.config.jwtSecret)],
    ['altered', altered],
    ['a refresh token', () => admin.refresh],
    ['no token', () => 'abc'],
    ['no key', () => 'ins_abc'],
  ])('%s: 401', async (_name, make) => {
    const { status, body, headers } = await me(await make());
    expect(status).toBe(401);
    expect(body.code).toBe('access.invalid_token');
    expect(headers.get('www-authenticate')).toMatch(/^Bearer/);
  });

  it.each(['Basic YWRtaW46YWRtaW4=', 'Bearer', 'bearer ', 'x'])(
    'the header %j: 401',
    async (authorization) => {
      const answer = await ask('GET', '/api/identity/me', { headers: { authorization } });
      expect([answer.status, answer.body.code]).toEqual([401, 'access.invalid_token']);
    },
  );

  it('a token that was good is refused the moment it expires', async () => {
    const token = await forge({ exp: now() + 2 }, api.config.jwtSecret);
    expect((await me(token)).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 2100));
    expect((await me(token)).status).toBe(401);
  });

  it('nobody at all: 401 and how to sign in', async () => {
    const { status, body, headers } = await ask('GET', '/api/identity/me');
    expect([status, body.code]).toEqual([401, 'access.unauthenticated']);
    expect(headers.get('www-authenticate')).toBe('Bearer');
  });
});

describe('signing out and changing the password', () => {
  it('ends this sign-in only, at once', async () => {
    const one = await person(ask, admin, 'viewer');
    const other = await logIn(ask, one.email);
    expect((await ask('POST', '/api/identity/logout', { headers: bearer(one.access) })).status).toBe(204);
    expect((await me(one.access)).status).toBe(401);
    expect((await refresh(one.refresh)).status).toBe(401);
    expect((await me(other.access)).status).toBe(200);
  });

  it('a new password needs the old one, and ends the other sign-ins', async () => {
    const one = await person(ask, admin, 'viewer');
    const other = await logIn(ask, one.email);
    const change = (body: unknown) => ask('PATCH', '/api/identity/me', { body, headers: bearer(one.access) });
    const wrong = await change({
      current_password: 'not the password',
      new_password: 'another long password',
    });
    expect([wrong.status, wrong.body.code]).toEqual([400, 'identity.wrong_password']);
    expect((await change({ current_password: PASSWORD, new_password: 'short' })).status).toBe(400);
    expect((await change({ current_password: PASSWORD, new_password: 'another long password' })).status).toBe(
      204,
    );
    expect((await me(one.access)).status).toBe(200);
    expect((await me(other.access)).status).toBe(401);
    expect((await login({ email: one.email, password: PASSWORD })).status).toBe(401);
    expect((await login({ email: one.email, password: 'another long password' })).status).toBe(200);
  });
});
