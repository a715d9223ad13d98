import { type LockedPackage, type Lockfile, missingOptionals, outOfStep } from './lockfile.js';
import { read } from './repository.js';

const lock = JSON.parse(read('package-lock.json')) as Lockfile;

describe('package-lock.json', () => {
  it('is in step with package.json', () => {
    expect(lock.lockfileVersion).toBe(3);
    expect(outOfStep(JSON.parse(read('package.json')) as LockedPackage, lock)).toEqual([]);
  });

  it('holds every optional package of every platform, so that npm ci works on each', () => {
    expect(missingOptionals(lock)).toEqual([]);
  });
});

describe('a lock that is out of step', () => {
  const locked = (own: LockedPackage, version = '1.0.0'): Lockfile => ({
    lockfileVersion: 3,
    packages: { '': own, 'node_modules/a': { version } },
  });

  it.each([
    ['a package was added', locked({})],
    ['a package was moved on', locked({ dependencies: { a: '0.9.0' } })],
    ['another version is installed', locked({ dependencies: { a: '1.0.0' } }, '0.9.0')],
    ['a package was removed', locked({ dependencies: { a: '1.0.0' }, devDependencies: { a: '1.0.0' } })],
    ['nothing is installed', { lockfileVersion: 3, packages: { '': { dependencies: { a: '1.0.0' } } } }],
  ])('is found: %s', (_why, bad) => {
    expect(outOfStep({ dependencies: { a: '1.0.0' } }, bad)).toHaveLength(1);
  });

  const binaries = (packages: Lockfile['packages']): Lockfile => ({
    lockfileVersion: 3,
    packages: {
      'node_modules/b/node_modules/c': { optionalDependencies: { '@c/mac': '2.0.0' } },
      ...packages,
    },
  });

  it('is found by its missing or outdated binaries', () => {
    expect(missingOptionals(binaries({}))).toHaveLength(1);
    expect(missingOptionals(binaries({ 'node_modules/@c/mac': { version: '1.9.0' } }))).toHaveLength(1);
    expect(
      missingOptionals(binaries({ 'node_modules/x/node_modules/@c/mac': { version: '2.0.0' } })),
    ).toHaveLength(1);
    const nearer = {
      'node_modules/@c/mac': { version: '2.0.0' },
      'node_modules/b/node_modules/@c/mac': { version: '1.0.0' },
    };
    expect(missingOptionals(binaries(nearer))).toHaveLength(1);
  });

  it('is not found where the binary is nested, hoisted or wanted loosely', () => {
    const nested = { 'node_modules/b/node_modules/c/node_modules/@c/mac': { version: '2.0.0' } };
    expect(missingOptionals(binaries(nested))).toEqual([]);
    expect(
      missingOptionals(binaries({ 'node_modules/b/node_modules/@c/mac': { version: '2.0.0' } })),
    ).toEqual([]);
    expect(missingOptionals(binaries({ 'node_modules/@c/mac': { version: '2.0.0' } }))).toEqual([]);
    const loose = { '': { optionalDependencies: { fsevents: '^2.3.3' } } };
    expect(missingOptionals({ lockfileVersion: 3, packages: loose })).toEqual([]);
  });
});
