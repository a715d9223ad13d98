import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { testEnvironment } from '#testing/config.js';

/** A process of the build, as it runs in production. */
export interface BuiltProcess {
  url: string;
  child: ChildProcess;
  /** Everything it wrote, standard output and error together. */
  output(): string;
  /** Its JSON log lines. */
  logs(): Record<string, unknown>[];
  exited: Promise<number | null>;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** @param variables those of a test, or exactly these where `bare` is set */
export async function startBuilt(
  app: 'api' | 'worker',
  databaseUrl: string,
  variables: Record<string, string> = {},
  bare = false,
): Promise<BuiltProcess> {
  const port = await freePort();
  const env = bare
    ? variables
    : testEnvironment(databaseUrl, { LOG_LEVEL: 'info', PORT: String(port), ...variables });
  const child = spawn(process.execPath, [`dist/apps/${app}/main.js`], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part: Buffer) => (text += part.toString()));
  const exited = once(child, 'close').then(([code]: unknown[]) => code as number | null);
  const logs = () =>
    text
      .split('\n')
      .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : []));
  const started = () => logs().some(({ msg }) => /the API listens|the worker works/.test(String(msg)));
  while (!started() && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 20));
  return {
    url: `http://127.0.0.1:${port}`,
    child,
    output: () => text,
    logs,
    exited,
    stop: async () => {
      if (child.exitCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}
