import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockDataDir, readRunFile } from './data-dir-lock.js';

let dataDir: string;

beforeEach(() => (dataDir = mkdtempSync(join(tmpdir(), 'instep-lock-'))));
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

/** A process that has ended, and its number. */
async function endedPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return child.pid ?? 0;
}

describe('the lock of a data folder', () => {
  it('lets one in, and tells the second where the first one is', async () => {
    const lock = await lockDataDir(dataDir);
    expect(lock.tookOver).toBe(false);
    lock.announce('http://localhost:3999');
    expect(readRunFile(dataDir)).toMatchObject({ pid: process.pid, url: 'http://localhost:3999' });
    expect(statSync(join(dataDir, 'run.json')).mode & 0o777).toBe(0o644);
    const before = readFileSync(join(dataDir, 'instep.lock'), 'utf8');
    await expect(lockDataDir(dataDir)).rejects.toThrow(
      new RegExp(`already running on .*process ${process.pid} and answers at http://localhost:3999`),
    );
    expect(readFileSync(join(dataDir, 'instep.lock'), 'utf8')).toBe(before);
    lock.release();
    expect(readdirSync(dataDir)).toEqual([]);
    (await lockDataDir(dataDir)).release();
  });

  it('is waited for while the one before is stopping', async () => {
    const first = await lockDataDir(dataDir);
    first.announce('http://localhost:3999');
    first.announceStop();
    let waits = 0;
    const second = lockDataDir(dataDir, () => waits++);
    setTimeout(() => first.release(), 250);
    expect((await second).tookOver).toBe(false);
    expect(waits).toBe(1);
  });

  it('is taken over from a process that was killed', async () => {
    const dead = JSON.stringify({ pid: await endedPid(), started: '1', at: '' });
    writeFileSync(join(dataDir, 'instep.lock'), dead);
    writeFileSync(join(dataDir, 'run.json'), '{"pid":1,"url":"http://localhost:1","startedAt":""}');
    const lock = await lockDataDir(dataDir);
    expect(lock.tookOver).toBe(true);
    expect(existsSync(join(dataDir, 'run.json'))).toBe(false);
    lock.release();
  });

  it('is taken over when its number belongs to a later process', async () => {
    writeFileSync(join(dataDir, 'instep.lock'), JSON.stringify({ pid: process.pid, started: '1', at: '' }));
    if (process.platform !== 'linux') return expect(process.platform).not.toBe('linux');
    const lock = await lockDataDir(dataDir);
    expect(lock.tookOver).toBe(true);
    lock.release();
  });

  it('does not take what another one has by now', async () => {
    const lock = await lockDataDir(dataDir);
    writeFileSync(join(dataDir, 'instep.lock'), 'another');
    lock.release();
    expect(readFileSync(join(dataDir, 'instep.lock'), 'utf8')).toBe('another');
  });

  it('goes to exactly one of several that start at once over a dead one', async () => {
    writeFileSync(
      join(dataDir, 'instep.lock'),
      JSON.stringify({ pid: await endedPid(), started: '1', at: '' }),
    );
    // Same process, so the temporary names are shared too: the worst case.
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => lockDataDir(dataDir)));
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
  });
});
