import { randomBytes, randomInt } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { StartError } from './start-error.js';

/** Without 0/o, 1/l/i: it is read from a screen and typed. */
const LETTERS = 'abcdefghjkmnpqrstuvwxyz23456789';

/** What an embedded installation needs and nobody gave. */
export interface Secrets {
  ENCRYPTION_KEYS: string;
  JWT_SECRET: string;
  ADMIN_EMAIL: string;
  ADMIN_PASSWORD: string;
  /** File with the generated password; undefined when the environment gave it. */
  adminFile: string | undefined;
  /** True until {@link markAdminShown}: the password was generated and not shown yet. */
  showPassword: boolean;
}

/** The body of POST /api/identity/login as it stands, so that `curl -d @admin.json` signs in. */
interface AdminFile {
  email: string;
  password: string;
}

/**
 * Makes the data folder. As root it can be passed through (0711) because the database runs as another user; what
 * is secret lies in the `secrets` folder (0700) below. A folder that holds other things keeps its own mode.
 */
export function prepareDataDir(dataDir: string): void {
  try {
    const own =
      !existsSync(dataDir) || readdirSync(dataDir).length === 0 || existsSync(join(dataDir, 'secrets'));
    mkdirSync(dataDir, { recursive: true, mode: 0o755 });
    if (own) chmodSync(dataDir, process.getuid?.() === 0 ? 0o711 : 0o700);
    mkdirSync(join(dataDir, 'secrets'), { mode: 0o700, recursive: true });
    chmodSync(join(dataDir, 'secrets'), 0o700);
  } catch (error) {
    throw new StartError(
      `The data folder ${dataDir} cannot be used: ${(error as Error).message}`,
      'Set DATA_DIR to a folder that you may write to, or start as the user who owns it.',
    );
  }
}

/**
 * Reads a secret, or makes and keeps it. Two processes at once end up with the same one.
 * @param make the first value
 * @param allowed false: do not make one; undefined is returned when there is none
 */
export function readOrMakeSecret<T extends object>(
  dataDir: string,
  name: string,
  make: () => T,
  allowed = true,
): T | undefined {
  const file = join(dataDir, 'secrets', name);
  if (!existsSync(file)) {
    if (!allowed) return undefined;
    writeWhole(file, make());
  }
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch (error) {
    // The parser quotes what it read: none of that into a message.
    const why = error instanceof SyntaxError ? 'it is not JSON' : (error as Error).message;
    throw new StartError(
      `The secret in ${file} cannot be read: ${why}.`,
      'Put it back from your backup, or start as the user who owns it.',
    );
  }
}

/**
 * The generated-once secrets of an embedded installation; what the environment gives wins.
 * @param dataDir a folder prepared by {@link prepareDataDir}
 */
export function loadSecrets(dataDir: string, env: NodeJS.ProcessEnv): Secrets {
  const keys = readOrMakeSecret(dataDir, 'keys.json', () => ({
    ENCRYPTION_KEYS: `k1:${randomBytes(32).toString('hex')}`,
    JWT_SECRET: randomBytes(32).toString('hex'),
  }));
  const admin = env.ADMIN_PASSWORD
    ? undefined
    : readOrMakeSecret<AdminFile>(dataDir, 'admin.json', () => ({
        email: env.ADMIN_EMAIL || 'admin@instep.local',
        password: readablePassword(),
      }));
  return {
    ENCRYPTION_KEYS: env.ENCRYPTION_KEYS || keys?.ENCRYPTION_KEYS || '',
    JWT_SECRET: env.JWT_SECRET || keys?.JWT_SECRET || '',
    ADMIN_EMAIL: env.ADMIN_EMAIL || admin?.email || 'admin@instep.local',
    ADMIN_PASSWORD: env.ADMIN_PASSWORD || admin?.password || '',
    adminFile: admin ? join(dataDir, 'secrets', 'admin.json') : undefined,
    showPassword: admin !== undefined && !existsSync(shownFile(dataDir)),
  };
}

/** The password was printed: later starts only say where it is kept. */
export function markAdminShown(dataDir: string): void {
  writeFileSync(shownFile(dataDir), '', { mode: 0o600 });
}

function shownFile(dataDir: string): string {
  return join(dataDir, 'secrets', 'admin.shown');
}

/** Five groups of five, 124 bits. */
function readablePassword(): string {
  const group = () => Array.from({ length: 5 }, () => LETTERS[randomInt(LETTERS.length)]).join('');
  return Array.from({ length: 5 }, group).join('-');
}

/** On disk before it has its name: a secret that was used once must never be lost, nor be there in half. */
function writeWhole(file: string, content: object): void {
  const half = `${file}.${process.pid}`;
  rmSync(half, { force: true });
  const handle = openSync(half, 'wx', 0o600);
  try {
    writeSync(handle, `${JSON.stringify(content, null, 2)}\n`);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  try {
    if (process.platform === 'win32') renameSync(half, file);
    else linkSync(half, file);
  } catch (error) {
    // Another process was first: its secret is the one.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(half, { force: true });
  }
}
