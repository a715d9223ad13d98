import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminToken } from '#testing/roles.js';
import { testEnvironment } from '#testing/config.js';
import { freePort } from '../apps/standalone/embedded-postgres.js';
import { NodeProcess } from './node-process.js';
import type { BenchServer } from './server.js';

const READY_MS = 30_000;

export interface Api {
  process: NodeProcess;
  url: string;
  /** Of the administrator, by a JWT. */
  headers: { authorization: string };
}

/** As an operator runs it: default log level, which the tests' environment lowers. */
const environment = (databaseUrl: string, extra: Record<string, string> = {}) =>
  testEnvironment(databaseUrl, { LOG_LEVEL: 'info', ...extra });

/** The real API process, ready. */
export async function startApi(server: BenchServer, databaseUrl: string): Promise<Api> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const process = NodeProcess.start('apps/api/main.js', {
    env: environment(databaseUrl, { PORT: String(port) }),
    log: join(server.dataDir, 'api.log'),
  });
  await answered(`${url}/health/live`, process);
  return { process, url, headers: { authorization: `Bearer ${await adminToken(url)}` } };
}

/** The real worker process; it takes work as soon as it is up. */
export function startWorker(server: BenchServer, databaseUrl: string, flags: string[] = []): NodeProcess {
  return NodeProcess.start('apps/worker/main.js', {
    env: environment(databaseUrl),
    log: join(server.dataDir, 'worker.log'),
    flags,
  });
}

/** Waits for the first good answer. */
export async function answered(url: string, process: NodeProcess): Promise<void> {
  const deadline = Date.now() + READY_MS;
  while (process.alive && Date.now() < deadline) {
    const status = await fetch(url).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    await sleep(50);
  }
  throw new Error(`${process.script} does not answer at ${url}`);
}
