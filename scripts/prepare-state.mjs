/** What the install and build stamps stand for. Plain Node, no dependency. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const SOURCES = ['apps', 'libs', 'migrations', 'bench', 'test'];
const SETTINGS = ['package.json', 'tsconfig.json', 'nest-cli.json'];

/** Changes when other packages are wanted, or when native ones would not fit this Node or machine. */
export function installHash(root) {
  const lock = readFileSync(join(root, 'package-lock.json'));
  return createHash('sha256')
    .update(lock)
    .update(`${process.version} ${process.platform} ${process.arch}`)
    .digest('hex');
}

/** True when node_modules holds, in npm's own record, every package of the lock file that this machine needs. */
export function isInstalled(root) {
  const record = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return false;
  try {
    const present = JSON.parse(readFileSync(record, 'utf8')).packages;
    const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
    return Object.entries(wanted).every(
      ([key, entry]) =>
        key === '' ||
        present[key]?.version === entry.version ||
        (entry.optional === true && isForeign(entry)),
    );
  } catch {
    return false;
  }
}

function isForeign(entry) {
  if (entry.os && !entry.os.includes(process.platform)) return true;
  if (entry.cpu && !entry.cpu.includes(process.arch)) return true;
  // Only one of the C libraries is this machine's; a wrong guess costs an import error, not a wrong package.
  return entry.libc !== undefined;
}

/** Changes whenever a build would come out differently. */
export function sourceHash(root, installed) {
  const hash = createHash('sha256').update(installed);
  for (const name of SETTINGS)
    if (existsSync(join(root, name))) hash.update(name).update(readFileSync(join(root, name)));
  for (const folder of SOURCES) {
    for (const file of filesBelow(root, folder))
      hash.update(`\0${file}\0`).update(readFileSync(join(root, file)));
  }
  return hash.digest('hex');
}

/** The newest compiled file, in ms: newer than the stamp means that somebody else built since. */
export function newestOutput(dist) {
  let newest = 0;
  for (const file of filesBelow(dist, '.')) {
    if (file.endsWith('.js')) newest = Math.max(newest, statSync(join(dist, file)).mtimeMs);
  }
  return newest;
}

/** Relative paths in a fixed order, without hidden folders and dependencies. */
function* filesBelow(root, folder) {
  const path = join(root, folder);
  if (!existsSync(path)) return;
  const entries = readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const child = folder === '.' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) yield* filesBelow(root, child);
    else if (entry.isFile()) yield child;
  }
}
