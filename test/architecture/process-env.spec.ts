import { filesBelow, read, type SourceFile, sources } from './repository.js';
import { environmentReads } from './source-rules.js';

/** The one reader, and what runs before or beside the house: test set-up, benchmarks, scripts in plain Node. */
const MAY_READ = ['libs/platform/config/', 'test/setup/', 'bench/', 'scripts/'];

const mayRead = (path: string) => MAY_READ.some((folder) => path.startsWith(folder));
/** Put together here, so that a plain text search for readers does not find this file. */
const env = ['process', 'env'].join('.');
const source = (text: string): SourceFile => ({ path: 'libs/modules/xero/start-sync.ts', text });

describe('the process environment', () => {
  it('is read only by libs/platform/config', () => {
    const scripts = filesBelow(['apps', 'libs', 'test', 'migrations'], /\.m?js$/);
    const files = [...sources(), ...scripts.map((path) => ({ path, text: read(path) }))];
    expect(files.filter(({ path }) => !mayRead(path)).flatMap(environmentReads)).toEqual([]);
  });

  it.each([
    `const key = ${env}.JWT_SECRET;`,
    `const { env } = process;`,
    `const { env: variables } = globalThis.process;`,
    `import { env } from 'node:process';`,
    `const all = process['env'];`,
    `spawn(node, [], { env: { ...${env}, PORT: '0' } });`,
  ])('is seen in: %s', (text) => {
    expect(environmentReads(source(text))).toHaveLength(1);
  });

  it('is not seen in comments, texts and other objects', () => {
    const text = `// ${env}\nconst a = '${env}'; config.env; process.exit(1);`;
    expect(environmentReads(source(text))).toEqual([]);
  });
});
