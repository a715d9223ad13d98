import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './embedded-postgres.js';
import { StartError } from './start-error.js';

const DEFAULT_PORT = 3001;
const DEFAULT_HOST = '127.0.0.1';
const TRIES = 100;

/** Where the API listens and how it is reached. */
export interface ListenAddress {
  host: string;
  port: number;
  /** Origin on this machine, whatever PUBLIC_URL says. */
  localUrl: string;
  /** Origin in links and redirects. */
  publicUrl: string;
}

/**
 * Chooses the port: a given one that is taken stops the start, the default moves to the next free one.
 * @param patienceMs how long a taken port may still become free (its holder was killed with our predecessor)
 * @throws StartError when PORT is taken, or none is free
 */
export async function chooseAddress(
  env: NodeJS.ProcessEnv,
  patienceMs: number,
  say: (line: string) => void,
): Promise<ListenAddress> {
  const host = env.HOST || DEFAULT_HOST;
  const wanted = env.PORT ? Number(env.PORT) : DEFAULT_PORT;
  if (wanted === 0) return addressOf(env, host, await freePort());
  for (const until = Date.now() + patienceMs; ; await sleep(100)) {
    const trouble = await tryListen(host, wanted);
    if (!trouble) return addressOf(env, host, wanted);
    if (trouble !== 'EADDRINUSE') throw cannotListen(host, wanted, trouble);
    if (Date.now() >= until) break;
  }
  if (env.PORT) {
    throw new StartError(
      `Port ${wanted} is taken by another program.`,
      'Stop that program, or give another port: PORT=3005 npm start (without PORT the next free one is used).',
    );
  }
  for (let port = wanted + 1; port < wanted + TRIES; port++) {
    if (await tryListen(host, port)) continue;
    say(`Port ${wanted} is taken, so the API listens on ${port}.`);
    return addressOf(env, host, port);
  }
  throw new StartError(
    `No port from ${wanted} to ${wanted + TRIES - 1} is free.`,
    'Give one: PORT=8080 npm start.',
  );
}

function addressOf(env: NodeJS.ProcessEnv, host: string, port: number): ListenAddress {
  const local =
    host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;
  const publicUrl = env.PUBLIC_URL?.replace(/\/+$/, '') || `http://localhost:${port}`;
  return { host, port, localUrl: `http://${local}:${port}`, publicUrl };
}

function cannotListen(host: string, port: number, code: string): StartError {
  if (code === 'EACCES') {
    return new StartError(
      `Port ${port} may not be opened by this user.`,
      'Give a port above 1023: PORT=3005 npm start.',
    );
  }
  return new StartError(
    `Nothing can listen on ${host}:${port} (${code}).`,
    'Set HOST to an address of this machine, or leave it out.',
  );
}

/** The error code, or undefined when the port is free. */
async function tryListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'UNKNOWN'));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
