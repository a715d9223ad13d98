import type { AddressInfo } from 'node:net';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ApiModule } from '../../apps/api/api.module.js';
import { WorkerModule } from '../../apps/worker/worker.module.js';
import type { Config } from '#platform/config/config.js';
import { createHttpApp } from '#platform/http/http-app.js';
import { createLogger } from '#platform/observability/logger.js';
import { Database } from '#platform/persistence/database.js';
import { QueueModule } from '#platform/queue/queue.module.js';
import { testConfig } from './config.js';
import { type TestDatabase, createTestDatabase } from './database.js';
import { Client } from './http-client.js';
import { signInAs } from './roles.js';
import type { Role } from '#platform/http/access.js';

/** An API (and on request a worker) in this process, over real HTTP, on a database of its own. */
export interface TestApi {
  url: string;
  config: Config;
  db: Database;
  app: NestFastifyApplication;
  database: TestDatabase;
  /** Headers of an identity with the role, made for this test. */
  as(role: Role): Promise<{ authorization: string }>;
  client(role?: Role): Promise<Client>;
  close(): Promise<void>;
}

export async function startApi(
  options: { env?: Record<string, string>; worker?: boolean; database?: TestDatabase } = {},
): Promise<TestApi> {
  const database = options.database ?? (await createTestDatabase());
  const logger = createLogger('test', options.env?.LOG_LEVEL ?? 'error');
  const config = testConfig(database.url, options.env);
  const app = await createHttpApp(ApiModule.with(config, logger), config, logger, {
    // Its static files come by a package that Jest's module loader cannot load; the story test of /docs runs the built API.
    docsPage: false,
  });
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const worker = options.worker ? await startWorker(database, options.env) : undefined;
  const db = app.get(Database);
  const keys = new Map<Role, Promise<{ authorization: string }>>();
  const as = (role: Role) => {
    const known = keys.get(role) ?? signInAs(url, role);
    keys.set(role, known);
    return known;
  };
  return {
    url,
    config,
    db,
    app,
    database,
    as,
    client: async (role = 'admin') => new Client(url, await as(role)),
    close: async () => {
      await worker?.close();
      await app.close();
      if (!options.database) await database.drop();
    },
  };
}

export async function startWorker(
  database: TestDatabase,
  env?: Record<string, string>,
): Promise<INestApplicationContext> {
  const logger = createLogger('test-worker', env?.LOG_LEVEL ?? 'error');
  const config = testConfig(database.url, env);
  const worker = await NestFactory.createApplicationContext(WorkerModule.with(config, logger), {
    abortOnError: false,
    logger: ['error'],
  });
  QueueModule.startWorkers(worker);
  return worker;
}
