import { filesBelow, read, type SourceFile, sources } from './repository.js';
import {
  anyTypes,
  badErrorCodes,
  barrels,
  drawers,
  loosePins,
  notKebabCase,
  switchedOffChecks,
  tooLong,
} from './source-rules.js';

const all = sources();
const file = (text: string, path = 'libs/modules/sales/thing.ts'): SourceFile => ({ path, text });
/** Put together here, so that the lines below do not break the rule that they test. */
const comment = (...words: string[]) => `// ${words.join('-')}\n`;

describe('barrels', () => {
  it('are not in this repository', () => {
    expect(all.flatMap(barrels)).toEqual([]);
  });

  it.each([
    `export * from './a.js';`,
    `// a door\nexport { A } from './a.js';\nexport type { B } from './b.js';`,
    `import './a.js';\nexport * as b from './b.js';`,
  ])('are found: %j', (text) => {
    expect(barrels(file(text, 'libs/modules/sales/index.ts'))).toHaveLength(1);
  });

  it('are not confused with code, nor with a contract', () => {
    expect(barrels(file(`export * from './a.js';\nexport const b = 1;`))).toEqual([]);
    expect(barrels(file(`import './a.js';`))).toEqual([]);
    expect(barrels(file(`export * from './a.js';`, 'libs/modules/sales/contract.ts'))).toEqual([]);
  });
});

describe('names', () => {
  const paths = filesBelow(
    ['apps', 'libs', 'migrations', 'test', 'bench', 'scripts'],
    /\.(ts|mts|mjs|js|html|css|sql)$/,
  );

  it('say what is inside: no drawers', () => {
    expect(paths.flatMap(drawers)).toEqual([]);
    expect(drawers('libs/platform/common/money.ts')).toHaveLength(1);
    expect(drawers('libs/modules/xero/utils.ts')).toHaveLength(1);
    expect(drawers('libs/modules/xero/shared-lines.ts')).toEqual([]);
  });

  it('are kebab-case', () => {
    expect(paths.flatMap(notKebabCase)).toEqual([]);
    expect(notKebabCase('libs/modules/sales/ImportInvoice.ts')).toHaveLength(1);
    expect(notKebabCase('libs/modules/salesInvoices/import.ts')).toHaveLength(1);
    expect(notKebabCase('libs/modules/sales/import_invoice.ts')).toHaveLength(1);
    expect(notKebabCase('libs/modules/sales/import-invoice.command.e2e-spec.ts')).toEqual([]);
  });
});

describe('files', () => {
  it('have at most 300 lines', () => {
    expect(all.flatMap(tooLong)).toEqual([]);
    expect(tooLong(file('x\n'.repeat(301)))).toHaveLength(1);
    expect(tooLong(file('x\n'.repeat(300)))).toEqual([]);
    expect(tooLong(file('x\n'.repeat(301), 'libs/modules/sales/thing.spec.ts'))).toEqual([]);
  });

  it('switch no check off', () => {
    expect(all.flatMap(switchedOffChecks)).toEqual([]);
    expect(switchedOffChecks(file(comment('@ts', 'ignore')))).toHaveLength(1);
    expect(switchedOffChecks(file(comment('@ts', 'expect', 'error')))).toHaveLength(1);
    expect(switchedOffChecks(file(comment('eslint', 'disable', 'next', 'line')))).toHaveLength(1);
  });

  it('do not use the type any', () => {
    expect(all.flatMap(anyTypes)).toEqual([]);
    expect(anyTypes(file(`const a = b as ${'any'};`))).toHaveLength(1);
    expect(anyTypes(file(`function f(a: ${'any'}[], b: Map<string, any>) {}`))).toHaveLength(2);
    expect(anyTypes(file(`// any word\nconst any = 'any'; f(any);`))).toEqual([]);
  });
});

describe('error codes', () => {
  it('are module.what_happened', () => {
    expect(all.filter(({ path }) => !path.startsWith('test/architecture/')).flatMap(badErrorCodes)).toEqual(
      [],
    );
  });

  it.each([
    `throw new AppError(409, 'Conflict', 'No');`,
    `throw new AppError(409, 'sales.invoiceExists', 'No');`,
    `throw conflict('sales.invoice-exists', 'No');`,
    `throw notFound('invoice', 'not_found');`,
    `throw invalid({}, 'sales.a.b');`,
    `class Own extends AppError { constructor() { super(404, 'GONE', 'No'); } }`,
  ])('of another form are found: %s', (text) => {
    expect(badErrorCodes(file(text))).toHaveLength(1);
  });

  it('of this form are fine', () => {
    expect(badErrorCodes(file(`throw new AppError(409, 'sales.invoice_exists', 'No');`))).toEqual([]);
    expect(badErrorCodes(file(`throw conflict('connection.ambiguous', 'No');`))).toEqual([]);
  });
});

describe('package.json', () => {
  it('pins every version exactly', () => {
    expect(loosePins(JSON.parse(read('package.json')) as Record<string, unknown>)).toEqual([]);
  });

  it.each(['^1.2.3', '~1.2.3', '1.x', '*', 'latest', '>=1.0.0', 'git+https://example.com/a.git'])(
    'may not say %s',
    (version) => {
      expect(loosePins({ dependencies: { a: version, b: '1.2.3', c: '18.4.0-beta.17' } })).toHaveLength(1);
    },
  );
});
