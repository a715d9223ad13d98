#!/usr/bin/env node
/**
 * Completes package-lock.json with the other platforms' binaries that npm left out.
 *
 * Some registries and mirrors lack a platform package at the wanted version. npm then leaves it out
 * of the lock file without a word, and `npm ci` refuses the lock everywhere, even where the package is
 * of no use ("Missing: @swc/core-darwin-arm64 from lock file"). Naming the exact version, os and cpu is
 * enough for `npm ci`; `resolved` and `integrity` stay out because nobody here has seen the tarball.
 *
 * Run after every `npm install`. `--check` only reports, and exits 1 when something is missing.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const OPERATING_SYSTEMS = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
];
const PROCESSORS = [
  'arm',
  'arm64',
  'ia32',
  'loong64',
  'mips64el',
  'ppc64',
  'riscv64',
  's390x',
  'wasm32',
  'x64',
];
const EXACT_VERSION = /^\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?$/;

/** The platform that a package name spells out, e.g. `@swc/core-linux-arm-gnueabihf`. */
function platformOf(name) {
  const words = name
    .split('/')
    .pop()
    .split(/[-.]/)
    .map((word) => (word === 'windows' ? 'win32' : word));
  const os = words.find((word) => OPERATING_SYSTEMS.includes(word));
  const cpu = words.findLast((word) => PROCESSORS.includes(word));
  if (!os || !cpu) return undefined;
  const libc = words.some((word) => word.startsWith('musl'))
    ? 'musl'
    : words.some((word) => word.startsWith('gnu'))
      ? 'glibc'
      : undefined;
  return { os, cpu, libc: os === 'linux' ? libc : undefined };
}

/** The lock entry that Node would load `name` from, seen from the package at `from`. */
function resolve(packages, from, name) {
  for (let base = from; ; base = base.slice(0, Math.max(base.lastIndexOf('/node_modules/'), 0))) {
    const key = `${base ? `${base}/` : ''}node_modules/${name}`;
    if (packages[key]) return key;
    if (!base) return undefined;
  }
}

/**
 * Adds every exact optional dependency that is missing.
 * @param {{packages: Record<string, any>}} lock the parsed package-lock.json; left as it is
 * @returns {{lock: object, added: string[]}} a completed copy and the keys that were added
 */
export function completeLock(lock) {
  const packages = { ...lock.packages };
  const added = [];
  for (const [parentKey, parent] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      if (!EXACT_VERSION.test(version)) continue;
      const present = resolve(packages, parentKey, name);
      if (present && packages[present].version === version) continue;
      const platform = platformOf(name);
      if (!platform)
        throw new Error(
          `${name}@${version} is missing from the lock and its name does not tell its platform; add it by hand.`,
        );
      // Another version at the top belongs to somebody else: ours then lives below its parent.
      const key = present
        ? `${parentKey ? `${parentKey}/` : ''}node_modules/${name}`
        : `node_modules/${name}`;
      packages[key] = {
        version,
        cpu: [platform.cpu],
        ...(parent.dev ? { dev: true } : {}),
        ...(parent.devOptional ? { devOptional: true } : {}),
        ...(platform.libc ? { libc: [platform.libc] } : {}),
        optional: true,
        os: [platform.os],
      };
      added.push(key);
    }
  }
  // npm's own order, so that the next `npm install` shows no difference but its own.
  const sorted = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
  return { lock: { ...lock, packages: sorted }, added };
}

function main() {
  const file = join(dirname(fileURLToPath(import.meta.url)), '..', 'package-lock.json');
  const { lock, added } = completeLock(JSON.parse(readFileSync(file, 'utf8')));
  const check = process.argv.includes('--check');
  if (added.length > 0 && !check) writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  for (const key of added) console.log(`${check ? 'missing' : 'added'} ${key}`);
  console.log(
    added.length === 0
      ? 'package-lock.json is complete.'
      : `${added.length} entries ${check ? 'are missing; run node scripts/complete-lock.mjs' : 'added'}.`,
  );
  if (check && added.length > 0) process.exitCode = 1;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) main();
