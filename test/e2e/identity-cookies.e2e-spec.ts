import { type TestApi, startApi } from '#testing/app.js';
import { type Http, bearer, cookieHeader, cookiesOf, http, signInByPage } from './identity-http.js';
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

const signedIn = async (role = 'viewer', next?: string) => {
  const who = await person(ask, admin, role);
  return { who, ...(await signInByPage(ask, who.email, PASSWORD, next)) };
};
const me = (jar: Record<string, string>) => ask('GET', '/api/identity/me', { headers: cookieHeader(jar) });
const ticket = { path: '/api/sales/sse/invoices/' };

describe('the sign-in page', () => {
  it('sets the cookies and goes on to where people came from', async () => {
    const { answer, jar, who } = await signedIn('viewer', '/app/settings?tab=xero');
    expect(answer.status).toBe(303);
    expect(answer.headers.get('location')).toBe('/app/settings?tab=xero');
    const lines = answer.headers.getSetCookie();
    const line = (name: string) => lines.find((l) => l.startsWith(`${name}=`)) ?? '';
    expect(line('instep_session')).toMatch(/; HttpOnly/i);
    expect(line('instep_csrf')).not.toMatch(/HttpOnly/i);
    for (const name of ['instep_session', 'instep_csrf']) {
      expect(line(name)).toMatch(/; SameSite=Lax/i);
      expect(line(name)).toMatch(/; Path=\/(;|$)/i);
      expect(line(name)).not.toMatch(/; Secure/i);
    }
    expect((await me(jar)).body).toMatchObject({ id: who.id, via: 'cookie' });
  });

  it('shows what is wrong, keeps the address and never the password', async () => {
    const who = await person(ask, admin, 'viewer');
    const { answer } = await signInByPage(ask, who.email, 'not <the> "password"');
    expect(answer.status).toBe(401);
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.text).toMatch(/role="alert"[^>]*>The e-mail address or the password is wrong/);
    expect(answer.text).toContain(`value="${who.email}"`);
    expect(answer.text).not.toContain('not &lt;the&gt;');
    expect(answer.headers.getSetCookie().join()).not.toContain('instep_session');
    for (let n = 0; n < 4; n++) await signInByPage(ask, who.email, 'not the password');
    const refused = (await signInByPage(ask, who.email, PASSWORD)).answer;
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(refused.text).toContain('Try again in 15 minutes');
  });

  it('writes nothing of what it is given as markup', async () => {
    const evil = `"><script>alert(1)</script>`;
    const shown = await ask('GET', `/sign-in?next=${encodeURIComponent(`/x${evil}`)}`);
    const { answer } = await signInByPage(ask, evil, evil);
    expect([shown.text, answer.text].join()).not.toContain('<script');
    expect(answer.status).toBe(400);
  });

  it('goes nowhere else than this site', async () => {
    for (const next of [
      'https://evil.example',
      '//evil.example',
      '/\\evil.example',
      '/\t/evil.example',
      '/.//evil.example',
    ]) {
      const { jar, form } = await signInByPage(ask, 'a@b.example', '');
      const body = { ...form, ...{ email: admin.email, password: String(api.config.admin?.password), next } };
      const answer = await ask('POST', '/sign-in', { form: body, headers: cookieHeader(jar) });
      expect([answer.status, answer.headers.get('location')]).toEqual([303, '/docs']);
    }
  });

  it('cannot be posted by another site, which does not know the nonce', async () => {
    const form = {
      email: admin.email,
      password: String(api.config.admin?.password),
      next: '/docs',
      nonce: 'x',
    };
    for (const headers of [cookieHeader({}), cookieHeader({ instep_sign_in: 'y' })]) {
      const answer = await ask('POST', '/sign-in', { form, headers });
      expect(answer.status).toBe(403);
      expect(answer.text).toContain('Please try again');
      expect(answer.headers.getSetCookie().join()).not.toContain('instep_session');
    }
    expect((await ask('POST', '/sign-in', { body: form })).status).toBe(403);
    expect((await ask('POST', '/sign-in')).status).toBe(403);
  });

  it('greets who is signed in with a way on and a way out', async () => {
    const { jar, who } = await signedIn();
    const page = await ask('GET', '/sign-in?next=/app/settings', { headers: cookieHeader(jar) });
    expect(page.text).toContain(who.email);
    expect(page.text).toContain('href="/app/settings"');
    const csrf_token = /name="csrf_token" value="([^"]+)"/.exec(page.text)?.[1] ?? '';
    const out = await ask('POST', '/sign-out', { form: { csrf_token }, headers: cookieHeader(jar) });
    expect([out.status, out.headers.get('location')]).toEqual([303, '/sign-in']);
    expect(cookiesOf(out, jar)).not.toHaveProperty('instep_session');
    expect((await me(jar)).status).toBe(401);
    expect((await ask('POST', '/sign-out')).status).toBe(302);
  });

  it('ends the session that it replaces', async () => {
    const { jar, who, form } = await signedIn();
    const again = await ask('GET', '/sign-in', { headers: {} });
    const both = { ...jar, ...cookiesOf(again) };
    const nonce = both.instep_sign_in ?? '';
    const answer = await ask('POST', '/sign-in', {
      form: { ...form, email: who.email, nonce },
      headers: cookieHeader(both),
    });
    expect(answer.status).toBe(303);
    expect((await me(jar)).status).toBe(401);
    expect((await me(cookiesOf(answer, both))).status).toBe(200);
  });
});

describe('the session cookie', () => {
  it('reads without and writes only with the CSRF token of its session', async () => {
    const { jar } = await signedIn();
    const other = await signedIn();
    const write = (headers: Record<string, string>) =>
      ask('POST', '/api/identity/stream-ticket', {
        body: ticket,
        headers: { ...cookieHeader(jar), ...headers },
      });
    for (const headers of [
      {} as Record<string, string>,
      { 'x-csrf-token': '' },
      { 'x-csrf-token': 'x' },
      { 'x-csrf-token': other.jar.instep_csrf ?? '' },
    ]) {
      const answer = await write(headers);
      expect([answer.status, answer.body.code]).toEqual([403, 'access.csrf']);
    }
    expect((await write({ 'x-csrf-token': jar.instep_csrf ?? '' })).status).toBe(201);
  });

  it('is not helped by a token that was planted in both places', async () => {
    const { jar } = await signedIn();
    const planted = { ...jar, instep_csrf: 'planted' };
    const headers = { ...cookieHeader(planted), 'x-csrf-token': 'planted' };
    expect((await ask('POST', '/api/identity/stream-ticket', { body: ticket, headers })).status).toBe(403);
  });

  it('gives way to a header, which needs no CSRF token', async () => {
    const { jar } = await signedIn();
    const headers = { ...cookieHeader(jar), ...bearer(admin.access) };
    expect((await ask('GET', '/api/identity/me', { headers })).body.id).toBe(admin.id);
    expect((await ask('POST', '/api/identity/stream-ticket', { body: ticket, headers })).status).toBe(201);
  });

  it('stale or made up is no identity: 401 for the API, and not an error of the page', async () => {
    for (const instep_session of ['x', 'A'.repeat(43), '%00', 'A'.repeat(5000)]) {
      const answer = await me({ instep_session });
      expect([answer.status, answer.body.code]).toEqual([401, 'access.unauthenticated']);
      expect((await ask('GET', '/sign-in', { headers: cookieHeader({ instep_session }) })).status).toBe(200);
    }
  });

  it('slides while it is used, and ends after 12 idle hours or 7 days', async () => {
    const { jar, who } = await signedIn();
    const age = (idle: string, left: string) =>
      api.db.execute(
        `update identity.session set last_used_at = platform.now() - $2::interval, expires_at = platform.now() + $3::interval
         where user_id = $1 and kind = 'cookie'`,
        [who.id, idle, left],
      );
    const past = () => new Promise((resolve) => setTimeout(resolve, 1000));
    await age('11 hours', '1 hour');
    expect((await me(jar)).status).toBe(200);
    const [row] = await api.db.query<{ fresh: boolean }>(
      `select last_used_at > platform.now() - interval '1 minute' as fresh from identity.session where user_id = $1 and kind = 'cookie'`,
      [who.id],
    );
    expect(row?.fresh).toBe(true);
    await age('12 hours 1 minute', '1 hour');
    await past();
    expect((await me(jar)).status).toBe(401);
    await age('0', '1 hour');
    expect((await me(jar)).status).toBe(200);
    await age('0', '-1 second');
    await past();
    expect((await me(jar)).status).toBe(401);
  });

  it('signing out clears the cookies and is in the audit log', async () => {
    const { jar, who } = await signedIn();
    const headers = { ...cookieHeader(jar), 'x-csrf-token': jar.instep_csrf ?? '' };
    const out = await ask('POST', '/api/identity/logout', { headers });
    expect(out.status).toBe(204);
    expect(cookiesOf(out, jar)).not.toHaveProperty('instep_session');
    expect((await me(jar)).status).toBe(401);
    expect((await audited(ask, admin, 'identity.signed_out'))[0]?.subject).toBe(`user:${who.id}`);
  });
});
