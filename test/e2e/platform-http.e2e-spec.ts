import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import { type TestApi, startApi } from '#testing/app.js';
import { type TestDatabase, createTestDatabase } from '#testing/database.js';
import { Client, type Json } from '#testing/http-client.js';
import { IMPORT, LIST, NDJSON, STREAM, anInvoice, expectRefused, ndjson, upload } from './sales-http.js';

let api: TestApi;
let operator: Client;

beforeAll(async () => {
  api = await startApi({ env: { CORS_ORIGINS: 'https://shop.example, https://till.example' } });
  operator = await api.client('operator');
});
afterAll(() => api.close());

describe('every error is a problem with all its fields', () => {
  const cases: [
    string,
    number,
    string,
    (client: Client) => Promise<{ status: number; headers: Headers; body: Json }>,
  ][] = [
    ['no such route', 404, 'request.no_route', (c) => c.get('/api/nothing/here')],
    ['no such route outside of /api', 404, 'request.no_route', (c) => c.get('/nothing')],
    ['no such verb', 404, 'request.no_route', (c) => c.send('DELETE', IMPORT)],
    ['no such thing', 404, 'sales.invoice_not_found', (c) => c.get(`${LIST}99999`)],
    ['a wrong id', 400, 'request.invalid', (c) => c.get(`${LIST}x`)],
    ['not JSON', 400, 'request.not_json', (c) => c.post(IMPORT, '{')],
    ['a wrong field', 400, 'request.invalid', (c) => c.post(IMPORT, {})],
    ['nobody', 401, 'access.unauthenticated', (c) => new Client(c.url).get(LIST)],
    ['a wrong token', 401, 'access.invalid_token', (c) => c.get(LIST, { authorization: 'Bearer x.y.z' })],
    ['not the role', 403, 'access.forbidden', (c) => c.get('/api/identity/users')],
    [
      'a wrong type',
      415,
      'request.unsupported_type',
      (c) => c.post(IMPORT, 'x', { 'content-type': 'text/plain' }),
    ],
    ['an escape that is none', 400, 'request.bad_url', (c) => c.get('/api/sales/invoices/%zz')],
    ['an endless id', 404, 'request.no_route', (c) => c.get(`${LIST}${'9'.repeat(400)}`)],
  ];
  it.each(cases)('%s: %i %s', async (_what, status, code, ask) => {
    const answer = await ask(operator);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.body).toEqual({
      type: `urn:instep:error:${code}`,
      title: expect.stringMatching(/./),
      status,
      status_code: status,
      success: false,
      code,
      message: expect.stringMatching(/./),
      detail: expect.stringMatching(/./),
      correlation_id: answer.headers.get('x-correlation-id'),
      ...(code === 'request.invalid' && { errors: expect.any(Object) }),
    });
    expect(answer.status).toBe(status);
  });

  it('a failure of ours says nothing of what is inside', async () => {
    await api.db.execute('alter table sales.customer rename to customer_elsewhere');
    const answer = await operator.post(IMPORT, anInvoice());
    await api.db.execute('alter table sales.customer_elsewhere rename to customer');
    expectRefused(answer, 500);
    expect(answer.body.code).toBe('internal.unexpected');
    expect(JSON.stringify(answer.body)).not.toMatch(/customer|\brelation|sql|select|\.ts|\.js|node_modules/i);
  });
});

describe('the correlation id', () => {
  it('comes back as it was given, in answers good and bad', async () => {
    const given = { 'x-correlation-id': 'order-2026.01_02' };
    expect((await operator.get(LIST, given)).headers.get('x-correlation-id')).toBe('order-2026.01_02');
    const bad = await operator.get(`${LIST}x`, given);
    expect([bad.headers.get('x-correlation-id'), bad.body.correlation_id]).toEqual([
      'order-2026.01_02',
      'order-2026.01_02',
    ]);
  });

  it.each(['short', 'x'.repeat(65), 'with space in it', 'quote"inside-it', '<script>alert'])(
    'is made new instead of "%s"',
    async (given) => {
      const { headers } = await operator.get(LIST, { 'x-correlation-id': given });
      expect(headers.get('x-correlation-id')).toMatch(/^[0-9a-f-]{36}$/);
    },
  );

  it('is in the audit log, the session and the message to the worker', async () => {
    const id = 'follow-me-0001';
    const { status, body } = await upload(operator, ndjson(anInvoice()), {
      type: NDJSON,
      headers: { 'x-correlation-id': id },
    });
    expect(status).toBe(202);
    expect(
      await api.db.query('select action from platform.audit_log where correlation_id = $1', [id]),
    ).toEqual([{ action: 'sales.file_import_started' }]);
    expect(
      await api.db.query(`select id from platform.session where context->>'correlationId' = $1`, [id]),
    ).toEqual([{ id: body.session_id }]);
    const message = await api.db.query(
      `select context->>'correlationId' as correlation, context->'actor'->>'kind' as actor from platform.outbox where topic = 'sync.session-requested'`,
    );
    expect(message).toEqual([{ correlation: id, actor: 'api_key' }]);
  });
});

describe('headers', () => {
  it('protect browsers', async () => {
    const { headers } = await operator.get('/health');
    expect(headers.get('content-security-policy')).toContain(`default-src 'self'`);
    expect(headers.get('content-security-policy')).toContain(`frame-ancestors 'none'`);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('x-frame-options')).toMatch(/SAMEORIGIN|DENY/);
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('server')).toBeNull();
    expect(headers.get('strict-transport-security')).toBeNull();
  });

  it('are on errors and streams too', async () => {
    const abort = new AbortController();
    const stream = await fetch(api.url + STREAM, { headers: operator.headers, signal: abort.signal });
    abort.abort();
    for (const { headers } of [
      stream,
      await operator.get('/api/nothing'),
      await operator.post(IMPORT, '{'),
    ]) {
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-correlation-id')).toBeTruthy();
    }
  });
});

describe('CORS', () => {
  const preflight = (origin: string, method: string, path = LIST) =>
    fetch(api.url + path, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': method,
        'access-control-request-headers': 'authorization,content-type,if-match,idempotency-key',
      },
    });

  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])('lets a listed origin %s', async (method) => {
    for (const origin of ['https://shop.example', 'https://till.example']) {
      const { status, headers } = await preflight(origin, method);
      expect(status).toBe(204);
      expect(headers.get('access-control-allow-origin')).toBe(origin);
      expect(headers.get('access-control-allow-methods')).toContain(method);
      expect(headers.get('access-control-allow-headers')).toMatch(/if-match/i);
      expect(headers.get('access-control-allow-credentials')).toBe('true');
    }
  });

  it('shows a listed origin answers, errors and streams with the headers that it needs', async () => {
    const origin = { origin: 'https://shop.example' };
    const abort = new AbortController();
    const stream = await fetch(api.url + STREAM, {
      headers: { ...operator.headers, ...origin },
      signal: abort.signal,
    });
    abort.abort();
    const seen = {
      list: await operator.get(LIST, origin),
      error: await operator.get('/api/nothing', origin),
      stream,
    };
    for (const [what, { headers }] of Object.entries(seen)) {
      expect({ what, origin: headers.get('access-control-allow-origin') }).toEqual({ what, ...origin });
      expect(headers.get('vary') ?? '').toMatch(/origin/i);
    }
    expect(seen.list.headers.get('access-control-expose-headers')).toMatch(/etag/i);
  });

  it('tells any other origin nothing', async () => {
    for (const origin of ['https://evil.example', 'https://shop.example.evil.example', 'null']) {
      const { headers } = await preflight(origin, 'GET');
      expect(headers.get('access-control-allow-origin')).toBeNull();
      expect((await operator.get(LIST, { origin })).headers.get('access-control-allow-origin')).toBeNull();
    }
  });
});

describe('health', () => {
  it.each(['/health', '/api/health', '/health/live', '/health/'])('%s says so to everyone', async (path) => {
    const { status, body } = await new Client(api.url).get(path);
    expect({ status, body }).toEqual({ status: 200, body: { status: 'ok', uptime: expect.any(Number) } });
  });

  it('ready checks database and queue, and reports lag', async () => {
    const { status, body } = await new Client(api.url).get('/health/ready');
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'ready', checks: { database: 'ok', queue: 'ok', first_run: 'ok' } });
    expect(Object.values(body.lag as object).every((value) => typeof value === 'number')).toBe(true);
  });

  it('is not ready while a first run is pending, ready when it is done', async () => {
    await api.db.execute(`update platform.installation set first_run = 'pending'`);
    const pending = await new Client(api.url).get('/health/ready');
    expect(pending).toMatchObject({ status: 503, body: { status: 'starting', checks: { database: 'ok' } } });
    await api.db.execute(`update platform.installation set first_run = 'done'`);
    expect((await new Client(api.url).get('/health/ready')).status).toBe(200);
    await api.db.execute(`update platform.installation set first_run = null`);
  });
});

describe('/metrics', () => {
  it('needs an identity', async () => {
    expectRefused(await new Client(api.url).get('/metrics'), 401);
  });
  it('counts requests by route template, jobs, events and sessions', async () => {
    await operator.get(`${LIST}12345`);
    const { status, headers, body } = await (await api.client('viewer')).get<string>('/metrics');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^text\/plain/);
    expect(body).toMatch(
      /instep_http_request_duration_seconds_count\{method="GET",route="\/api\/sales\/invoices\/:id",status="404"\} \d+/,
    );
    expect(body).toMatch(/^instep_jobs_waiting \d+$/m);
    expect(body).toMatch(/^instep_outbox_rows \d+$/m);
    expect(body).toMatch(/^instep_sessions_live \d+$/m);
    expect(body).not.toContain('12345');
  });
});

describe('when the database goes away', () => {
  let database: TestDatabase;
  let proxy: Server;
  let cut: TestApi;
  const sockets = new Set<Socket>();

  beforeAll(async () => {
    database = await createTestDatabase();
    const url = new URL(database.url);
    const target = { host: url.hostname, port: Number(url.port) };
    proxy = createServer((client) => {
      const server = connect(target);
      for (const socket of [client, server]) sockets.add(socket.on('error', () => undefined));
      client.pipe(server).pipe(client);
      client.on('close', () => server.destroy());
      server.on('close', () => client.destroy());
    });
    await listen();
    url.port = String((proxy.address() as AddressInfo).port);
    url.hostname = '127.0.0.1';
    cut = await startApi({ database: { ...database, url: url.href }, env: { LOG_LEVEL: 'error' } });
  });
  afterAll(async () => {
    await cut.close();
    proxy.close();
    await database.drop();
  });
  const listen = (port = 0) => new Promise<void>((resolve) => proxy.listen(port, '127.0.0.1', resolve));

  it('it says so, stays alive, and goes on when it is back', async () => {
    const client = await cut.client('operator');
    expect((await client.get(LIST)).status).toBe(200);
    const { port } = proxy.address() as AddressInfo;
    proxy.close();
    for (const socket of sockets) socket.destroy();
    const answers = await Promise.all([client.get(LIST), client.post(IMPORT, anInvoice())]);
    for (const answer of answers) {
      expectRefused(answer, 503);
      expect(answer.body.code).toBe('database.unavailable');
      expect(answer.headers.get('retry-after')).toBe('2');
    }
    expect((await client.get('/health/live')).status).toBe(200);
    const ready = await client.get('/health/ready');
    expect(ready).toMatchObject({
      status: 503,
      body: { status: 'unavailable', checks: { database: 'does not answer' } },
    });
    await listen(port);
    let status = 0;
    for (let attempt = 0; status !== 200 && attempt < 100; attempt++) {
      ({ status } = await client.get('/health/ready'));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(status).toBe(200);
    expect((await client.post(IMPORT, anInvoice())).status).toBe(201);
  });
});
