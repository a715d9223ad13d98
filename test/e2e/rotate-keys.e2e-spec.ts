import { startApi } from '#testing/app.js';
import { testEnvironment } from '#testing/config.js';
import { createTestDatabase } from '#testing/database.js';
import { rotateKeys } from '../../apps/cli/rotate-keys.js';

const OLD = `old:${'ab'.repeat(32)}`;
const NEW = `new:${'cd'.repeat(32)}`;
const body = { name: 'a till', role: 'viewer' };
const headers = { 'idempotency-key': 'make the key once' };

it('secrets are readable without the old key once they were rotated, and only then', async () => {
  const database = await createTestDatabase();
  const before = await startApi({ database, env: { ENCRYPTION_KEYS: OLD } });
  const first = await (await before.client()).post<{ key: string }>('/api/identity/api-keys', body, headers);
  const { authorization } = await before.as('admin');
  await before.close();
  expect(first.status).toBe(201);

  const replayWith = async (keys: string) => {
    const api = await startApi({ database, env: { ENCRYPTION_KEYS: keys } });
    const response = await fetch(`${api.url}/api/identity/api-keys`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization, ...headers },
      body: JSON.stringify(body),
    });
    await api.close();
    return { status: response.status, body: await response.json() };
  };
  expect((await replayWith(NEW)).status).toBe(500);
  expect(await rotateKeys(testEnvironment(database.url, { ENCRYPTION_KEYS: `${NEW},${OLD}` }))).toBe(0);
  expect(await replayWith(NEW)).toEqual({ status: 201, body: first.body });
  await database.drop();
});
