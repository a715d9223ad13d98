import { spawn } from 'node:child_process';
import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type PostgresHome, serverEnvironment } from './postgres-home.js';
import { StartError } from './start-error.js';

/** The one role and the one database of an embedded server. */
export const SUPERUSER = 'instep';

/**
 * Makes the data directory when there is none. It is made beside and renamed when whole, so that a killed
 * initdb leaves nothing that looks like a database.
 * @param options.sync false skips flushing to disk, for throw-away servers
 */
export async function createCluster(
  home: PostgresHome,
  password: string,
  options: { sync: boolean; path: string | undefined },
): Promise<void> {
  const parent = dirname(home.dataDir);
  removeHalfMade(parent, basename(home.dataDir));
  if (existsSync(join(home.dataDir, 'PG_VERSION'))) return;
  const half = `${home.dataDir}.new-${process.pid}-${Date.now()}`;
  const passwordFile = `${half}.pw`;
  mkdirSync(half, { mode: 0o700 });
  // Owned by root, an open moment would show the password to all: 0600 from the first byte on.
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' });
  try {
    give(home, half);
    give(home, passwordFile);
    await initdb(home, half, passwordFile, options);
    // Only an empty folder may stand in the way, e.g. one that an operator made as a mount point.
    if (existsSync(home.dataDir)) rmSync(home.dataDir, { recursive: false });
    renameSync(half, home.dataDir);
    syncFolder(parent);
  } catch (error) {
    rmSync(half, { recursive: true, force: true, maxRetries: 3 });
    throw error;
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

async function initdb(
  home: PostgresHome,
  target: string,
  passwordFile: string,
  options: { sync: boolean; path: string | undefined },
): Promise<void> {
  const args = [
    '-D',
    target,
    '-U',
    SUPERUSER,
    '-A',
    'scram-sha-256',
    `--pwfile=${passwordFile}`,
    '-E',
    'UTF8',
  ];
  // Sorted by code point like C on every machine, yet lower() and trigrams know letters beyond ASCII.
  args.push('--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8');
  if (!options.sync) args.push('--no-sync');
  const child = spawn(join(home.runtime, 'bin', 'initdb'), args, {
    ...home.user,
    cwd: dirname(target),
    env: serverEnvironment({ PATH: options.path }),
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code === 0) return;
  const said = output.trim().split('\n').slice(-8).join('\n');
  const next = said.includes('user does not exist')
    ? 'PostgreSQL needs a user with a name (an entry in /etc/passwd): start Instep as one, or set DATABASE_URL.'
    : undefined;
  throw new StartError(
    `The embedded database could not be made in ${dirname(target)} (initdb ended with ${code}):\n${said}`,
    next,
  );
}

/** What a killed initdb left. The caller holds the data folder, so nobody else is making one. */
function removeHalfMade(parent: string, name: string): void {
  for (const entry of readdirSync(parent)) {
    if (entry.startsWith(`${name}.new-`))
      rmSync(join(parent, entry), { recursive: true, force: true, maxRetries: 5 });
  }
}

function give(home: PostgresHome, path: string): void {
  if (home.user.uid !== undefined) chownSync(path, home.user.uid, home.user.gid ?? home.user.uid);
}

function syncFolder(path: string): void {
  if (process.platform === 'win32') return;
  const folder = openSync(path, 'r');
  fsyncSync(folder);
  closeSync(folder);
}
