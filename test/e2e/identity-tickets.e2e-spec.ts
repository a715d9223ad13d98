import { type TestApi, startApi } from '#testing/app.js';
import { type Http, bearer, http } from './identity-http.js';
import { type Person, firstAdmin, person } from './identity-people.js';

let api: TestApi;
let ask: Http;
let admin: Person;

beforeAll(async () => {
  api = await startApi();
  ask = http(api.url);
  admin = await firstAdmin(ask, api.config);
});
afterAll(() => api.close());

const STREAM = '/api/sales/sse/invoices/';

const issue = (path: unknown, token: string) =>
  ask('POST', '/api/identity/stream-ticket', { body: { path }, headers: bearer(token) });
const ticketFor = async (path: string, token: string) => String((await issue(path, token)).body.ticket);

/** Opens a stream for as long as it takes to see its answer. */
async function open(path: string, ticket: string, method = 'GET'): Promise<number> {
  const abort = new AbortController();
  const glue = path.includes('?') ? '&' : '?';
  const response = await fetch(`${api.url}${path}${glue}ticket=${ticket}`, { method, signal: abort.signal });
  abort.abort();
  return response.status;
}

/** Moves what is stored of all tickets into the past. */
const age = (interval: string) =>
  api.db.execute(
    `update identity.stream_ticket set first_use_before = first_use_before - $1::interval, expires_at = expires_at - $1::interval`,
    [interval],
  );

describe('a stream ticket', () => {
  it('opens the stream it names, again and again, with or without slash and query', async () => {
    const viewer = await person(ask, admin, 'viewer');
    const { status, body, headers } = await issue(STREAM, viewer.access);
    expect(status).toBe(201);
    expect(headers.get('cache-control')).toBe('no-store');
    const seconds = (at: unknown) => (Date.parse(String(at)) - Date.now()) / 1000;
    expect(seconds(body.expires_at)).toBeGreaterThan(25);
    expect(seconds(body.expires_at)).toBeLessThanOrEqual(31);
    expect(seconds(body.reusable_until) / 3600).toBeCloseTo(8, 1);
    const ticket = String(body.ticket);
    expect(await open(STREAM, ticket)).toBe(200);
    expect(await open(STREAM, ticket)).toBe(200);
    expect(await open('/api/sales/sse/invoices', ticket)).toBe(200);
  });

  it('opens nothing else', async () => {
    const ticket = await ticketFor(STREAM, admin.access);
    expect(await open('/api/identity/me', ticket)).toBe(401);
    expect(await open('/api/identity/users', ticket)).toBe(401);
    expect(await open(STREAM, ticket, 'POST')).not.toBe(200);
    expect(await open('/api/pos/orders/stream', ticket)).not.toBe(200);
    expect(await open(STREAM, ticket)).toBe(200);
  });

  it('must be used within 30 seconds, then lasts 8 hours', async () => {
    const [late, used] = [await ticketFor(STREAM, admin.access), await ticketFor(STREAM, admin.access)];
    expect(await open(STREAM, used)).toBe(200);
    await age('31 seconds');
    expect(await open(STREAM, late)).toBe(401);
    expect(await open(STREAM, used)).toBe(200);
    await age('8 hours');
    expect(await open(STREAM, used)).toBe(401);
  });

  it('ends with the sign-in it was made from', async () => {
    const viewer = await person(ask, admin, 'viewer');
    const ticket = await ticketFor(STREAM, viewer.access);
    expect(await open(STREAM, ticket)).toBe(200);
    await ask('POST', '/api/identity/logout', { headers: bearer(viewer.access) });
    expect(await open(STREAM, ticket)).toBe(401);
  });

  it('ends with a disabled person, and with a revoked key', async () => {
    const viewer = await person(ask, admin, 'viewer');
    const ticket = await ticketFor(STREAM, viewer.access);
    await ask('PATCH', `/api/identity/users/${viewer.id}`, {
      body: { disabled: true },
      headers: bearer(admin.access),
    });
    expect(await open(STREAM, ticket)).toBe(401);

    const body = { name: 'Wallboard', role: 'viewer' };
    const made = await ask('POST', '/api/identity/api-keys', { body, headers: bearer(admin.access) });
    const keys = await ticketFor(STREAM, String(made.body.key));
    expect(await open(STREAM, keys)).toBe(200);
    await ask('DELETE', `/api/identity/api-keys/${String(made.body.id)}`, { headers: bearer(admin.access) });
    expect(await open(STREAM, keys)).toBe(401);
  });

  it('has the role of who made it', async () => {
    const body = { name: 'Till', role: 'terminal', terminal_id: 'POS-001' };
    const made = await ask('POST', '/api/identity/api-keys', { body, headers: bearer(admin.access) });
    expect(await open(STREAM, await ticketFor(STREAM, String(made.body.key)))).toBe(403);
  });

  it('is stored as a hash', async () => {
    const ticket = await ticketFor(STREAM, admin.access);
    const rows = await api.db.query<{ row: string }>('select t::text as row from identity.stream_ticket t');
    expect(JSON.stringify(rows)).not.toContain(ticket.slice(5));
  });

  it.each(['', 'x', 'inst_' + 'A'.repeat(43)])('%j is none', async (ticket) => {
    expect(await open(STREAM, ticket)).toBe(401);
  });

  it.each([
    undefined,
    42,
    '',
    '/',
    '/api',
    '/api/identity/me',
    '/api/identity/users/stream-1',
    '/docs/stream',
    'https://evil.example/api/stream',
    '//evil.example/api/stream',
    '/api/../docs/stream',
    '/api/./stream',
    '/api//stream',
    '/api/%73tream',
    '/api/x\\stream',
    '/api/me?/stream',
    '/api/' + 'a/'.repeat(300) + 'stream',
  ])('is not given for %j', async (path) => {
    const { status, body } = await issue(path, admin.access);
    expect([status, Object.keys(body.errors ?? {})]).toEqual([400, ['path']]);
  });

  it.each([
    '/api/sales/sse/invoices',
    '/workflow/xero/sync/stream/',
    '/workflow/xero/sync/stream/?task_id=0f4b8a52-6a3e-4a53-9a43-0a3f1f6f8f10',
    '/api/sync/session/0f4b8a52-6a3e-4a53-9a43-0a3f1f6f8f10/stream',
    '/api/bulk/operation/0f4b8a52-6a3e-4a53-9a43-0a3f1f6f8f10/stream',
    '/api/pos/sync/batches/0f4b8a52-6a3e-4a53-9a43-0a3f1f6f8f10/stream',
    '/api/sessions/0f4b8a52-6a3e-4a53-9a43-0a3f1f6f8f10/stream',
  ])('is given for %s', async (path) => {
    expect((await issue(path, admin.access)).status).toBe(201);
  });
});

describe('readers of open streams', () => {
  it('are told apart in one question: who is gone, and who is not', async () => {
    const [stays, goes] = [await person(ask, admin, 'viewer'), await person(ask, admin, 'viewer')];
    const abort = new AbortController();
    const openAs = (who: Person) =>
      fetch(api.url + STREAM, { headers: bearer(who.access), signal: abort.signal });
    const [a, b] = [await openAs(stays), await openAs(goes)];
    expect([a.status, b.status]).toEqual([200, 200]);
    await ask('DELETE', `/api/identity/users/${goes.id}`, { headers: bearer(admin.access) });
    const ended = async (response: Response) => {
      const reader = response.body?.getReader();
      for (;;) {
        const next = await reader?.read().catch(() => ({ done: true }));
        if (!next || next.done) return 'ended';
      }
    };
    const timeout = new Promise((resolve) => setTimeout(() => resolve('open'), 3000));
    expect(await Promise.race([ended(b), timeout])).toBe('ended');
    expect(
      await Promise.race([ended(a), new Promise((resolve) => setTimeout(() => resolve('open'), 300))]),
    ).toBe('open');
    abort.abort();
  });
});
