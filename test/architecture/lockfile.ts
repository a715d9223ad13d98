import { type Finding } from './repository.js';

type Versions = Record<string, string>;

export interface LockedPackage {
  readonly version?: string;
  readonly dependencies?: Versions;
  readonly devDependencies?: Versions;
  readonly optionalDependencies?: Versions;
}

export interface Lockfile {
  readonly lockfileVersion: number;
  readonly packages: Record<string, LockedPackage>;
}

const GROUPS = ['dependencies', 'devDependencies', 'optionalDependencies'] as const;

/** What package.json asks for and the lock's copy of it does not say, or the other way round. */
export function outOfStep(manifest: LockedPackage, lock: Lockfile): Finding[] {
  const root = lock.packages[''] ?? {};
  return GROUPS.flatMap((group) => {
    const asked = manifest[group] ?? {};
    const locked = root[group] ?? {};
    return [...new Set([...Object.keys(asked), ...Object.keys(locked)])].flatMap((name) => {
      if (asked[name] !== locked[name]) {
        return [
          `${group}: ${name} is ${asked[name] ?? 'absent'} in package.json, ${locked[name] ?? 'absent'} in the lock`,
        ];
      }
      const installed = lock.packages[`node_modules/${name}`]?.version;
      return installed === asked[name]
        ? []
        : [`${group}: ${name} ${asked[name] ?? ''} is locked as ${installed ?? 'nothing'}`];
    });
  });
}

/**
 * Exact optional dependencies of locked packages that are not in the lock themselves. npm leaves out, without a
 * word, binaries of other platforms that its registry lacks, and `npm ci` then stops on every platform.
 */
export function missingOptionals(lock: Lockfile): Finding[] {
  return Object.entries(lock.packages).flatMap(([path, locked]) =>
    Object.entries(locked.optionalDependencies ?? {})
      .filter(([, version]) => /^\d+\.\d+\.\d+/.test(version))
      .filter(([name, version]) => resolve(lock, path, name)?.version !== version)
      .map(([name, version]) => `${path || 'package.json'} wants ${name}@${version}, which the lock lacks`),
  );
}

/** As Node looks it up: beside the package's own dependencies first, then outwards. */
function resolve(lock: Lockfile, from: string, name: string): LockedPackage | undefined {
  for (let base = from; ; base = base.slice(0, Math.max(base.lastIndexOf('/node_modules/'), 0))) {
    const found = lock.packages[`${base ? `${base}/` : ''}node_modules/${name}`];
    if (found ?? base === '') return found;
  }
}
