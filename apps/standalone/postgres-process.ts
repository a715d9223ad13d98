import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PostgresHome, serverEnvironment } from './postgres-home.js';
import { commandLineOf, isAlive } from './process-identity.js';

const LOG_LIMIT_BYTES = 10 * 1024 * 1024;

/** For a small business's machine that has other work to do too. */
const SETTINGS: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '128MB',
  effective_cache_size: '1GB',
  random_page_cost: '1.1',
  wal_compression: 'on',
  max_wal_size: '1GB',
  min_wal_size: '80MB',
  checkpoint_timeout: '10min',
  // Our statements are short: compiling them costs more than it saves.
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
  // DETAIL lines repeat the values of rows, which do not belong into a log.
  log_error_verbosity: 'terse',
  log_line_prefix: '%m [%p] ',
};

/** A server's postmaster. */
export interface PostgresProcess {
  pid: number;
  port: number;
  /** False when only the number is known and it may be somebody else's by now (no /proc or ps). */
  certain: boolean;
  ended(): boolean;
}

/** A postmaster that we started. */
export interface LaunchedProcess extends PostgresProcess {
  /** What it wrote since, for a message. */
  said(): string;
}

/** The server that postmaster.pid names, if it really is a PostgreSQL of this data directory and alive. */
export function findRunning(home: PostgresHome): PostgresProcess | undefined {
  const lock = readPidFile(home);
  if (!lock || !isAlive(lock.pid)) return undefined;
  const command = commandLineOf(lock.pid);
  if (command && !isPostgresOf(command, home.dataDir)) return undefined;
  return { ...lock, certain: command !== undefined, ended: () => !isAlive(lock.pid) };
}

/**
 * Removes a postmaster.pid whose number now belongs to an unrelated process, over which PostgreSQL would refuse
 * to start. One of a dead process PostgreSQL handles better itself (it also looks for orphaned children).
 */
export function forgetStale(home: PostgresHome): void {
  const lock = readPidFile(home);
  if (lock && isAlive(lock.pid)) rmSync(join(home.dataDir, 'postmaster.pid'), { force: true });
}

/** Starts a server; it is ready when a connection works. */
export function launch(
  home: PostgresHome,
  port: number,
  options: { path: string; logFile: string; settings: Record<string, string> },
): LaunchedProcess {
  const log = openLog(options.logFile);
  const from = fstatSync(log).size;
  const args = ['-D', home.dataDir, '-p', String(port)];
  for (const [name, value] of Object.entries({ ...SETTINGS, ...options.settings }))
    args.push('-c', `${name}=${value}`);
  const child = spawn(join(home.runtime, 'bin', 'postgres'), args, {
    ...home.user,
    cwd: home.dataDir,
    env: serverEnvironment({ PATH: options.path }),
    // Ctrl-C goes to the whole terminal group: the server must outlive its clients.
    detached: true,
    stdio: ['ignore', log, log],
    windowsHide: true,
  });
  closeSync(log);
  child.unref();
  let over = child.pid === undefined;
  child.once('exit', () => (over = true));
  child.once('error', () => (over = true));
  return {
    pid: child.pid ?? 0,
    port,
    certain: true,
    ended: () => over,
    said: () => readFrom(options.logFile, from),
  };
}

/** Follows a server to its end, and ends it. */
export function watch(server: PostgresProcess): {
  gone: Promise<void>;
  stop: (mode: 'fast' | 'immediate', graceMs: number) => Promise<void>;
} {
  let over: () => void = () => undefined;
  const gone = new Promise<void>((resolve) => (over = resolve));
  const timer = setInterval(() => {
    if (!server.ended()) return;
    clearInterval(timer);
    over();
  }, 250);
  timer.unref();
  const stop = async (mode: 'fast' | 'immediate', graceMs: number): Promise<void> => {
    if (mode === 'immediate' || !(await signalAndWait(server, 'SIGINT', graceMs))) {
      // The postmaster itself kills children that do not obey an immediate stop within 5 s.
      if (!(await signalAndWait(server, 'SIGQUIT', 6_000))) await signalAndWait(server, 'SIGKILL', 2_000);
    }
    clearInterval(timer);
    over();
  };
  return { gone, stop };
}

/** Sends the signal and waits; true when the process has ended. */
export async function signalAndWait(
  server: PostgresProcess,
  signal: NodeJS.Signals,
  timeoutMs: number,
): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  if (!server.ended()) {
    try {
      // Windows knows no signals: Node ends the process there, and PostgreSQL recovers on its next start.
      process.kill(server.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  while (!server.ended()) {
    if (Date.now() > deadline) return false;
    await sleep(10);
  }
  return true;
}

function readPidFile(home: PostgresHome): { pid: number; port: number } | undefined {
  const file = join(home.dataDir, 'postmaster.pid');
  if (!existsSync(file)) return undefined;
  // Lines: process, data directory, start time, port, ...
  const lines = readFileSync(file, 'utf8').split('\n');
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  // No port yet: a server in its first milliseconds; its process is enough to wait for it.
  return Number.isInteger(pid) && pid > 0 ? { pid, port: Number.isInteger(port) ? port : 0 } : undefined;
}

/** A postmaster keeps the arguments that we gave it. Without separators (macOS) their text must do. */
function isPostgresOf(command: string[], dataDir: string): boolean {
  if (command.length === 1)
    return /postgres/.test(command[0] ?? '') && (command[0] ?? '').includes(`-D ${dataDir} `);
  const at = command.indexOf('-D');
  return /^postgres(\.exe)?$/.test(basename(command[0] ?? '')) && at > 0 && command[at + 1] === dataDir;
}

function openLog(file: string): number {
  if (existsSync(file) && statSync(file).size > LOG_LIMIT_BYTES) renameSync(file, `${file}.1`);
  return openSync(file, 'a', 0o600);
}

function readFrom(file: string, start: number): string {
  const handle = openSync(file, 'r');
  try {
    const size = Math.min(Math.max(fstatSync(handle).size - start, 0), 8_192);
    const buffer = Buffer.alloc(size);
    readSync(handle, buffer, 0, size, start);
    return buffer.toString('utf8').trim();
  } finally {
    closeSync(handle);
  }
}
