import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const SCRIPTS = resolve('scripts');

describe('the committed lock file', () => {
  it('names every platform’s packages, or npm ci would refuse it everywhere', () => {
    const said = execFileSync(process.execPath, [join(SCRIPTS, 'complete-lock.mjs'), '--check'], {
      encoding: 'utf8',
    });
    expect(said).toBe('package-lock.json is complete.\n');
  });
});

describe('the lock of the install and build step', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'instep-prepare-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('lets one process in at a time, over the lock of a killed one too', async () => {
    const lock = join(folder, '.prepare.json');
    const diary = join(folder, 'diary');
    writeFileSync(lock, JSON.stringify([{ pid: 2 ** 22 + 1, started: '1' }]));
    const code = `
      const { takeLock } = await import(${JSON.stringify(pathToFileURL(join(SCRIPTS, 'prepare-lock.mjs')).href)});
      const { appendFileSync } = await import('node:fs');
      const { release } = await takeLock(${JSON.stringify(lock)}, () => {});
      appendFileSync(${JSON.stringify(diary)}, 'in ');
      await new Promise((resolve) => setTimeout(resolve, 50));
      appendFileSync(${JSON.stringify(diary)}, 'out ');
      release();`;
    const processes = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'inherit' }),
    );
    await Promise.all(processes.map((child) => once(child, 'exit')));
    expect(readFileSync(diary, 'utf8')).toBe('in out '.repeat(4));
    expect(readdirSync(folder)).toEqual(['diary']);
  });
});
