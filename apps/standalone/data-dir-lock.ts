import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, startOf } from './process-identity.js';
import { StartError } from './start-error.js';

/** Who runs on a data folder; `run.json` in it. The CLI finds the API by it. */
export interface RunFile {
  pid: number;
  /** Where the API answers; for people and programs on this machine. */
  url: string;
  startedAt: string;
  /** True from the moment it was asked to stop. */
  stopping?: boolean;
}

/** One instance a data folder. */
export interface DataDirLock {
  /** True when the instance before us was killed: what it started may be on its way out still. */
  tookOver: boolean;
  /** Tells the world where we answer. */
  announce(url: string): void;
  /** Tells a start that comes now to wait for our end. */
  announceStop(): void;
  release(): void;
}

const STOP_PATIENCE_MS = 15_000;

/**
 * Takes the data folder, or says who has it. The lock of a process that was killed is taken over; a later process
 * with the same number is not mistaken for it (start times are compared where the system tells them).
 * One that is being stopped is waited for.
 * @param dataDir a folder that exists
 * @param onWait called once when there is such a one
 * @throws StartError naming the process and the URL of the instance that runs there
 */
export async function lockDataDir(
  dataDir: string,
  onWait: () => void = () => undefined,
): Promise<DataDirLock> {
  const file = join(dataDir, 'instep.lock');
  const runFile = join(dataDir, 'run.json');
  // A name of its own for each call: a hard link shares the file, so writing it again would change the lock.
  const mine = `${file}.${process.pid}.${randomUUID()}`;
  const token = JSON.stringify({
    pid: process.pid,
    started: startOf(process.pid),
    at: new Date().toISOString(),
    call: randomUUID(),
  });
  writeFileSync(mine, token, { mode: 0o644 });
  let tookOver = false;
  let waited = false;
  const deadline = Date.now() + STOP_PATIENCE_MS;
  try {
    for (;;) {
      if (!claim(mine, file)) {
        const held = read(file);
        if (held === undefined) continue;
        const pid = holderOf(held);
        if (pid !== undefined) {
          const run = readRunFile(dataDir);
          if (run?.pid !== pid || !run.stopping || Date.now() > deadline) throw busy(dataDir, pid, run);
          if (!waited) onWait();
          waited = true;
          await sleep(100);
          continue;
        }
        discard(file, held);
        tookOver = true;
        continue;
      }
      // Another start may have caught our lock while it cleared away the dead one: look again.
      await sleep(30);
      if (read(file) === token) break;
    }
  } finally {
    rmSync(mine, { force: true });
  }
  rmSync(runFile, { force: true });
  const startedAt = new Date().toISOString();
  const write = (run: RunFile): void => {
    writeFileSync(`${runFile}.${process.pid}`, `${JSON.stringify(run)}\n`, { mode: 0o644 });
    renameSync(`${runFile}.${process.pid}`, runFile);
  };
  return {
    tookOver,
    announce: (url) => write({ pid: process.pid, url, startedAt }),
    announceStop: () => {
      // Not over the file of another instance, should ours have been taken away.
      if (read(file) === token)
        write({ pid: process.pid, url: readRunFile(dataDir)?.url ?? '', startedAt, stopping: true });
    },
    release: () => {
      if (read(file) !== token) return;
      rmSync(runFile, { force: true });
      rmSync(file, { force: true });
    },
  };
}

/** What `run.json` says; undefined when nothing runs there as far as known. */
export function readRunFile(dataDir: string): RunFile | undefined {
  try {
    return JSON.parse(readFileSync(join(dataDir, 'run.json'), 'utf8')) as RunFile;
  } catch {
    return undefined;
  }
}

function busy(dataDir: string, pid: number, run: RunFile | undefined): StartError {
  const where = run?.pid === pid && run.url ? ` and answers at ${run.url}` : '';
  return new StartError(
    `Instep is already running on ${dataDir}: process ${pid}${where}.`,
    `Use that one, stop it first (kill ${pid}), or set DATA_DIR to another folder. Nothing was changed.`,
  );
}

/** A link shows up with its whole content or not at all; file systems without links get an exclusive write. */
function claim(mine: string, file: string): boolean {
  try {
    linkSync(mine, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
  }
  try {
    writeFileSync(file, readFileSync(mine), { flag: 'wx', mode: 0o644 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** The living process that holds the lock; undefined when it is stale or unreadable. */
function holderOf(content: string): number | undefined {
  try {
    const { pid, started } = JSON.parse(content) as { pid: number; started: string | null };
    if (!isAlive(pid)) return undefined;
    return started === null || startOf(pid) === started ? pid : undefined;
  } catch {
    return undefined;
  }
}

function discard(file: string, expected: string): void {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  if (read(aside) !== expected) claim(aside, file);
  rmSync(aside, { force: true });
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
