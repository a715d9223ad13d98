import { execFile } from 'node:child_process';
import { mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { read, repository } from './repository.js';

const run = promisify(execFile);

/** Runs the check of the build in a folder; the document that it compares with is the one that lies there. */
const check = (folder: string) =>
  run(process.execPath, [join(repository, 'dist/apps/api/openapi.js'), '--check'], { cwd: folder }).then(
    () => 'the same',
    (error: unknown) => (error as { stderr: string }).stderr,
  );

describe('openapi.json', () => {
  it('is what the code says', async () => {
    expect(await check(repository)).toBe('the same');
  });

  it('is seen to differ when it does, and the remedy is named', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'instep-openapi-'));
    writeFileSync(
      join(folder, 'openapi.json'),
      read('openapi.json').replace('"operationId"', '"operationID"'),
    );
    symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'));
    expect(await check(folder)).toContain('npm run openapi');
  });
});
