import { once } from 'node:events';
import { connect } from 'node:net';
import pg from 'pg';
import { ADMIN } from '#testing/config.js';
import { type TestDatabase, createTestDatabase } from '#testing/database.js';
import { Client } from '#testing/http-client.js';
import { SseReader } from '#testing/sse-reader.js';
import { type BuiltProcess, startBuilt } from './platform-process.js';
import { IMPORT, NDJSON, STREAM, anInvoice, ended, ndjson, upload } from './sales-http.js';

/** API and worker as processes of the build: what a test in one process cannot see. */
let database: TestDatabase;
beforeAll(async () => (database = await createTestDatabase()));
afterAll(() => database.drop());

const signIn = async (api: BuiltProcess) => {
  const { body } = await new Client(api.url).post('/api/identity/login', ADMIN);
  return new Client(api.url, { authorization: `Bearer ${String(body.access_token)}` });
};

describe('a body of another kind than a route takes', () => {
  let api: BuiltProcess;
  beforeAll(async () => (api = await startBuilt('api', database.url)));
  afterAll(() => api.stop());

  it.each([
    ['/api/identity/login', 'text/csv'],
    ['/api/identity/refresh', 'application/x-ndjson'],
    ['/sign-in', 'text/csv'],
    [IMPORT, 'text/csv'],
    ['/api/identity/login', 'application/x-www-form-urlencoded'],
  ])('%s of %s is refused, and the process lives', async (path, type) => {
    const answer = await new Client(api.url)
      .post(path, 'a,b\n1,2\n', { 'content-type': type })
      .catch((error: unknown) => ({ status: String(error) }));
    expect([400, 401, 403, 415]).toContain(answer.status);
    expect((await new Client(api.url).get('/health')).status).toBe(200);
    expect(api.child.exitCode).toBeNull();
  });

  it.each([
    ['a NUL in a header', 'GET / HTTP/1.1\r\nHost: x\r\nX: \0\r\n\r\n'],
    ['nonsense', 'nonsense\r\n\r\n'],
    ['an endless address', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`],
  ])('bytes that are not HTTP are refused too: %s', async (_what, bytes) => {
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    socket.write(bytes);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect((await new Client(api.url).get('/health')).status).toBe(200);
  });
});

describe('logs', () => {
  let api: BuiltProcess;
  let worker: BuiltProcess;
  let client: Client;
  beforeAll(async () => {
    [api, worker] = await Promise.all([startBuilt('api', database.url), startBuilt('worker', database.url)]);
    client = await signIn(api);
  });
  afterAll(() => Promise.all([api.stop(), worker.stop()]));

  it('are JSON lines with a level, a time and the correlation id of the request', async () => {
    await client.post(IMPORT, anInvoice(), { 'x-correlation-id': 'find-me-in-logs' });
    const find = () => api.logs().find((entry) => entry.correlation_id === 'find-me-in-logs');
    for (let tries = 0; !find() && tries < 100; tries++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const line = find();
    expect(line).toMatchObject({
      level: 'info',
      method: 'POST',
      route: '/api/sales/import/invoice',
      status: 201,
      ms: expect.any(Number),
    });
    expect(Date.parse(String(line?.time))).toBeGreaterThan(Date.now() - 60_000);
    for (const text of [api.output(), worker.output()])
      expect(
        text
          .trim()
          .split('\n')
          .every((l) => l.startsWith('{')),
      ).toBe(true);
  });

  it('of the worker carry the correlation id of the request that caused the work', async () => {
    const admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
    await admin.query('alter table sales.invoice_item rename to invoice_item_elsewhere');
    const headers = { 'x-correlation-id': 'from-request-to-job' };
    const { body } = await upload(client, ndjson(anInvoice()), { type: NDJSON, headers });
    expect(await ended(client, body.session_id)).toMatchObject({
      state: 'failed',
      error: expect.not.stringMatching(/relation|sql/i),
    });
    await admin.query('alter table sales.invoice_item_elsewhere rename to invoice_item');
    await admin.end();
    const line = worker.logs().find((entry) => entry.session_id === body.session_id);
    expect(line).toMatchObject({ level: 'error', correlation_id: 'from-request-to-job' });
  });

  it('never show a password, a token, a ticket or a key', async () => {
    const ticket = await client.post<{ ticket: string }>('/api/identity/stream-ticket', { path: STREAM });
    const reader = await SseReader.open(`${api.url}${STREAM}?ticket=${ticket.body.ticket}`);
    expect(reader.status).toBe(200);
    await reader.cut();
    const key = await client.post<{ key: string }>('/api/identity/api-keys', { name: 'k', role: 'viewer' });
    await new Client(api.url, { 'x-api-key': key.body.key }).get('/api/sales/invoices?q=x');
    await new Client(api.url).post('/api/identity/login', { ...ADMIN, password: 'a wrong password here' });
    await client.get('/api/nothing');
    const secrets = [
      ADMIN.password,
      'a wrong password here',
      ticket.body.ticket,
      key.body.key,
      client.headers.authorization?.slice(7) ?? '',
      'ab'.repeat(32),
    ];
    for (const secret of secrets) expect(api.output() + worker.output()).not.toContain(secret);
  });
});

it('SIGTERM ends both in good order and soon, with streams and work open; the work goes on after', async () => {
  const start = () => Promise.all([startBuilt('api', database.url), startBuilt('worker', database.url)]);
  const before = await start();
  const client = await signIn(before[0]);
  const reader = await SseReader.open(before[0].url + STREAM, client.headers);
  const { body } = await upload(client, ndjson(...Array.from({ length: 3000 }, () => anInvoice())), {
    type: NDJSON,
  });
  const began = Date.now();
  for (const { child } of before) child.kill('SIGTERM');
  for (const { exited, child } of before) {
    // Nest ends a process that has closed down by the signal itself.
    expect([0, null]).toContain(await exited);
    expect(child.signalCode ?? 'SIGTERM').toBe('SIGTERM');
  }
  expect(Date.now() - began).toBeLessThan(8000);
  await reader.ended();
  const after = await start();
  const again = await signIn(after[0]);
  expect(await ended(again, body.session_id)).toMatchObject({ state: 'completed', created: 3000 });
  await Promise.all([...before, ...after].map((process) => process.stop()));
});

describe('a configuration that is not complete', () => {
  it('stops it with all that is wrong at once, never its values', async () => {
    const secret = 'hunter2-hunter2';
    const wrong = {
      DATABASE_URL: `mysql://x:${secret}@y/z`,
      JWT_SECRET: secret,
      REDIS_URL: secret,
      PORT: '99999',
    };
    for (const broken of await Promise.all([
      startBuilt('api', '', wrong, true),
      startBuilt('worker', '', wrong, true),
    ])) {
      expect(await broken.exited).toBe(1);
      for (const name of ['DATABASE_URL', 'ENCRYPTION_KEYS', 'JWT_SECRET', 'REDIS_URL', 'PORT'])
        expect(broken.output()).toContain(name);
      expect(broken.output()).not.toContain(secret);
      expect(broken.output()).not.toContain('99999');
    }
  });

  it('a port that is taken stops the API with words', async () => {
    const first = await startBuilt('api', database.url);
    const second = await startBuilt('api', database.url, { PORT: new URL(first.url).port });
    expect(await second.exited).toBe(1);
    expect(second.output()).toContain('EADDRINUSE');
    await first.stop();
  });

  it('a database of a newer version stops it before it touches anything', async () => {
    const newer = await createTestDatabase();
    const client = new pg.Client({ connectionString: newer.url });
    await client.connect();
    await client.query(`insert into platform.migration (timestamp, name) values (1, 'FromTheFuture1')`);
    await client.end();
    const refused = await startBuilt('api', newer.url);
    expect(await refused.exited).toBe(1);
    expect(refused.output()).toContain('newer version of Instep');
    await newer.drop();
  });
});
