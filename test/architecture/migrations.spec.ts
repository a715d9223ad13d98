import { filesBelow, read } from './repository.js';

/** What keeps TypeORM from running a list of migrations in the order that people think they wrote. */
function problems(files: readonly string[], dataSource: string, textOf: (path: string) => string): string[] {
  const written = files.filter((path) => /^migrations\/\d/.test(path)).sort();
  const listed = [...dataSource.matchAll(/from '\.\/(\d[^']*)\.js'/g)].map(
    (m) => `migrations/${m[1] ?? ''}.ts`,
  );
  const run = /migrations[^=]*= \[(.*?)\]/s.exec(dataSource)?.[1]?.match(/\w+/g) ?? [];
  const found = written
    .filter((path) => !listed.includes(path))
    .map((path) => `${path} is not in data-source.ts`);
  const classes = written.map((path) => {
    const stamp = /^migrations\/(\d{13})-[a-z0-9]+-[a-z0-9-]+\.ts$/.exec(path)?.[1];
    if (stamp === undefined) found.push(`${path} is not <epoch-ms>-<module>-<what>.ts`);
    const name = new RegExp(`class (\\w+${stamp ?? ''}) `).exec(textOf(path))?.[1];
    if (name === undefined) found.push(`${path} has no class that ends with its time`);
    return name ?? '';
  });
  if (found.length === 0 && classes.join() !== run.join())
    found.push('data-source.ts does not run them in order');
  return found;
}

describe('migrations', () => {
  it('are all run, in the order of their names', () => {
    const files = filesBelow(['migrations'], /\.ts$/);
    expect(problems(files, read('migrations/data-source.ts'), read)).toEqual([]);
  });

  const first = 'migrations/1763600000000-platform-foundation.ts';
  const second = 'migrations/1763600001000-sales-invoices.ts';
  const source = (...names: string[]) =>
    [first, second].map((path) => `import {} from './${path.slice(11, -3)}.js';\n`).join('') +
    `export const migrations = [${names.join(', ')}];`;
  const textOf = (path: string) => `class X${/\d{13}/.exec(path)?.[0] ?? ''} {}`;
  const good = source('X1763600000000', 'X1763600001000');

  it.each([
    ['one is forgotten', [first, second, 'migrations/1763600002000-pos-orders.ts'], good, textOf],
    ['two change places', [first, second], source('X1763600001000', 'X1763600000000'), textOf],
    ['one is imported but not run', [first, second], source('X1763600000000'), textOf],
    ['a class has another time', [first, second], good, () => 'class X1763600000000 {}'],
    ['a name has no module', [first, second, 'migrations/2-invoices.ts'], good, textOf],
  ])('are refused when %s', (_why, files, dataSource, text) => {
    expect(problems(files, dataSource, text)).not.toEqual([]);
  });

  it('are fine when all is in order', () => {
    expect(problems([first, second, 'migrations/migrate.ts'], good, textOf)).toEqual([]);
  });
});
