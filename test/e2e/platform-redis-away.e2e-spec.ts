import { type TestApi, startApi, startWorker } from '#testing/app.js';
import type { Client } from '#testing/http-client.js';
import { type TestRedis, redisServers, startRedis } from './platform-redis.js';
import { IMPORT, NDJSON, anInvoice, ended, importFile, ndjson, upload } from './sales-http.js';

const within = <T>(what: string, ms: number, work: Promise<T>): Promise<T> =>
  Promise.race([
    work,
    new Promise<never>((_, reject) =>
      setTimeout(() => reject(new Error(`no end of ${what} after ${ms} ms`)), ms).unref(),
    ),
  ]);

describe.each(redisServers)('while %s is away', (_name, command) => {
  let redis: TestRedis;
  let api: TestApi;
  let operator: Client;

  beforeAll(async () => {
    redis = await startRedis(command);
    api = await startApi({ worker: true, env: { REDIS_URL: redis.url, LOG_LEVEL: 'silent' } });
    operator = await api.client('operator');
    await importFile(operator, ndjson(anInvoice()), { type: NDJSON });
  });
  afterAll(async () => {
    await api.close();
    await redis.stop();
  });

  it('what needs no queue goes on, files are taken, and it is told; all is done when it is back', async () => {
    await redis.stop();
    const ready = await within('readiness', 8000, operator.get('/health/ready'));
    expect(ready).toMatchObject({
      status: 503,
      body: { status: 'unavailable', checks: { database: 'ok', queue: 'does not answer' } },
    });
    expect((await operator.get('/health/live')).status).toBe(200);
    expect((await within('an import', 5000, operator.post(IMPORT, anInvoice()))).status).toBe(201);
    const { status, body } = await within(
      'an upload',
      5000,
      upload(operator, ndjson(anInvoice(), anInvoice()), { type: NDJSON }),
    );
    expect([status, body.status]).toEqual([202, 'initiated']);
    const asked = Promise.all(
      ['/api/operations/schedules', '/api/operations/dead-letters'].map((path) => operator.get(path)),
    );
    const operations = await within('operations', 8000, asked).catch((error: unknown) => error);
    const metrics = await within('metrics', 8000, operator.get('/metrics')).catch((error: unknown) => error);
    redis = await startRedis(command, redis.port);
    await api.db.execute(`update platform.clock set moved_by = moved_by + interval '1 minute'`);
    expect(await ended(operator, body.session_id, 60_000)).toMatchObject({ state: 'completed', created: 2 });
    for (let state = 503; state !== 200;) state = (await operator.get('/health/ready')).status;
    expect(operations).toMatchObject([{ status: 503 }, { status: 503 }]);
    expect(metrics).toMatchObject({ status: 200, body: expect.stringContaining('instep_jobs_waiting NaN') });
  });

  it('a worker and an API still end when they are told to', async () => {
    const second = await startApi({
      database: api.database,
      env: { REDIS_URL: redis.url, LOG_LEVEL: 'silent' },
    });
    const worker = await startWorker(api.database, { REDIS_URL: redis.url, LOG_LEVEL: 'silent' });
    await redis.stop();
    await upload(operator, ndjson(anInvoice()), { type: NDJSON });
    await Promise.all([within('a worker', 9500, worker.close()), within('an API', 9500, second.close())]);
    redis = await startRedis(command, redis.port);
  });
});
