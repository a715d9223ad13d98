/**
 * Who may import whom (DESIGN 3). Every rule here is seen red once by test/architecture/boundaries.spec.ts,
 * which runs this same file over a tree of violations: a new rule needs a violation there.
 *
 * `$1` in a rule's `to` is what the first group of its `from` matched.
 */

/** Platform layers, lowest first; a layer may import only layers of the rows above its own, and itself. */
const LAYERS = [
  ['config', 'errors'],
  ['observability'],
  ['persistence'],
  ['queue', 'audit'],
  ['streams'],
  ['connections'],
  ['sync'],
  ['http'],
];

const LOWER_MODULES = ['identity', 'billing', 'xero', 'crm', 'bulk', 'sales', 'pos'];

/** Whose contract.ts each module may import: the module DAG. Nobody may import the three at the top. */
const MODULE_MAY_USE = {
  identity: [],
  billing: [],
  xero: ['billing'],
  crm: [],
  bulk: ['crm'],
  sales: [],
  pos: [],
  search: LOWER_MODULES,
  analytics: LOWER_MODULES,
  operations: LOWER_MODULES,
};

/** The provider that each module owns; a module that is not listed calls nobody. */
const PROVIDERS_OF_MODULE = { xero: ['xero'], crm: ['zoho'], bulk: ['zoho'], pos: ['pos-cloud'] };
const PROVIDERS = ['http-client', 'xero', 'zoho', 'pos-cloud'];

/** Tests and benchmarks may import anything, so no rule starts from them. */
const TESTS = ['^(test|bench|libs/testing)/', '\\.(e2e-)?spec\\.ts$'];

const any = (names) => `(${names.join('|')})`;
const list = (names) => (names.length === 0 ? 'nothing' : names.join(', '));
const asArray = (value) => (value === undefined ? [] : [value].flat());

function rule(name, comment, from, to) {
  const outsideTests = { ...from, pathNot: [...TESTS, ...asArray(from.pathNot)] };
  return { name, severity: 'error', comment, from: outsideTests, to };
}

const apps = [
  rule(
    'apps-use-only-module-wiring',
    'An app puts modules together: it sees their *.module.ts, never their inside nor their contract.',
    { path: '^apps/(?!sandbox/)' },
    { path: '^libs/modules/', pathNot: '\\.module\\.ts$' },
  ),
  rule(
    'apps-use-no-provider',
    'Providers belong to modules. The sandbox is judged by them, so it must not share their code.',
    { path: '^apps/' },
    { path: '^libs/providers/' },
  ),
  rule(
    'apps-are-separate',
    'Apps are separate processes that share libs. Only standalone and cli, which start the others, may look in.',
    { path: '^apps/([^/]+)/', pathNot: '^apps/(standalone|cli)/' },
    { path: '^apps/', pathNot: '^apps/$1/' },
  ),
  rule(
    'sandbox-runs-apart',
    'The sandbox is a process of its own, so that a killed worker does not take it along; nobody imports it.',
    { path: '^(apps|libs|migrations)/', pathNot: '^apps/sandbox/' },
    { path: '^apps/sandbox/' },
  ),
  rule(
    'sandbox-knows-no-module',
    'The sandbox is built from the providers’ documentation; sharing code with a module would hide its mistakes.',
    { path: '^apps/sandbox/' },
    { path: '^libs/modules/' },
  ),
  rule(
    'sandbox-uses-only-config-and-errors',
    'The sandbox stands for other companies: of platform it takes only config and errors.',
    { path: '^apps/sandbox/' },
    { path: '^libs/platform/', pathNot: '^libs/platform/(config|errors)/' },
  ),
  rule(
    'libs-import-no-app',
    'Apps are the top of the house: nothing below them may need them.',
    { path: '^(libs|migrations)/' },
    { path: '^apps/' },
  ),
];

const modules = [
  rule(
    'module-door-is-contract',
    'The only door into another module is its contract.ts.',
    { path: '^libs/modules/([^/]+)/' },
    { path: '^libs/modules/', pathNot: ['^libs/modules/$1/', '^libs/modules/[^/]+/contract\\.ts$'] },
  ),
  rule(
    'modules-are-the-known-ten',
    'A new module needs a place in the module DAG (MODULE_MAY_USE in this file) before anyone uses it.',
    {},
    { path: '^libs/modules/', pathNot: `^libs/modules/${any(Object.keys(MODULE_MAY_USE))}/` },
  ),
  rule(
    'entities-never-leave-their-module',
    'Entities are the inside of a module: others get row types through its contract.',
    { path: '^libs/modules/([^/]+)/' },
    { path: '^libs/modules/[^/]+/entities/', pathNot: '^libs/modules/$1/' },
  ),
  rule(
    'entities-stay-in-modules',
    'Neither apps nor platform, providers or migrations may know a module’s entities.',
    { path: '^(apps|migrations|libs/(platform|providers))/' },
    { path: '^libs/modules/[^/]+/entities/' },
  ),
  rule(
    'contract-shows-no-entity',
    'A contract that names an entity hands it to every other module.',
    { path: '^libs/modules/[^/]+/contract\\.ts$' },
    { path: '^libs/modules/[^/]+/entities/' },
  ),
  ...Object.entries(MODULE_MAY_USE).map(([name, below]) =>
    rule(
      `module-dag-${name}`,
      `Modules form a DAG: ${name} may use ${list(below)}. News travels upwards as outbox events.`,
      { path: `^libs/modules/${name}/` },
      { path: '^libs/modules/', pathNot: `^libs/modules/${any([name, ...below])}/` },
    ),
  ),
  ...Object.keys(MODULE_MAY_USE).map((name) => {
    const own = PROVIDERS_OF_MODULE[name] ?? [];
    return rule(
      `module-provider-${name}`,
      `A module calls only its own provider: ${name} has ${list(own)}.`,
      { path: `^libs/modules/${name}/` },
      { path: '^libs/providers/', ...(own.length > 0 && { pathNot: `^libs/providers/${any(own)}/` }) },
    );
  }),
];

const platform = [
  ...LAYERS.flatMap((row, height) =>
    row.map((layer) => {
      const below = LAYERS.slice(0, height).flat();
      return rule(
        `platform-layer-${layer}`,
        `Platform imports downwards only: ${layer} may use ${list(below)}.`,
        { path: `^libs/platform/${layer}/` },
        { path: '^libs/platform/', pathNot: `^libs/platform/${any([layer, ...below])}/` },
      );
    }),
  ),
  rule(
    'platform-has-only-its-layers',
    'A new platform folder needs a place in the order of layers (LAYERS in this file) before anyone uses it.',
    {},
    { path: '^libs/platform/', pathNot: `^libs/platform/${any(LAYERS.flat())}/` },
  ),
  rule(
    'platform-knows-no-business',
    'Platform holds no business word: it knows neither modules nor providers.',
    { path: '^libs/platform/' },
    { path: '^libs/(modules|providers)/' },
  ),
];

const providers = [
  rule(
    'providers-are-the-known-four',
    'A new provider needs an owner (PROVIDERS_OF_MODULE in this file) before anyone uses it.',
    {},
    { path: '^libs/providers/', pathNot: `^libs/providers/${any(PROVIDERS)}/` },
  ),
  rule(
    'providers-use-only-http-client-and-base',
    'A provider speaks one company’s HTTP: http-client and platform’s errors, config and observability suffice.',
    { path: '^libs/providers/([^/]+)/' },
    {
      path: '^(apps|libs|migrations)/',
      pathNot: ['^libs/providers/($1|http-client)/', '^libs/platform/(errors|config|observability)/'],
    },
  ),
  rule(
    'providers-use-no-database-bus-or-queue',
    'A provider keeps nothing and announces nothing: that is its module’s work, in its module’s transaction.',
    { path: '^libs/providers/' },
    { path: '(^|/)(pg|pg-[a-z-]+|typeorm|bullmq|ioredis|@nestjs/(typeorm|bullmq|cqrs))(/|$)' },
  ),
];

const migrations = [
  rule(
    'migrations-use-only-platform-base',
    'A migration must mean the same in years: it may not lean on code that changes.',
    { path: '^migrations/' },
    { path: '^(apps|libs)/', pathNot: '^libs/platform/(config|errors|persistence)/' },
  ),
  rule(
    'migrations-use-only-typeorm-and-pg',
    'As above, for packages: SQL needs typeorm (which wants reflect-metadata) and pg, nothing else.',
    { path: '^migrations/' },
    { path: 'node_modules/', pathNot: 'node_modules/(@types/)?(typeorm|pg|reflect-metadata)/' },
  ),
  rule(
    'only-starts-migrate',
    'Moving the schema on is a step of a start or a deployment: no module and no route does it.',
    { path: '^(apps|libs)/', pathNot: '^apps/(standalone|cli)/|^apps/(api|worker)/main\\.ts$' },
    { path: '^migrations/' },
  ),
];

const everywhere = [
  rule(
    'only-tests-use-testing',
    'libs/testing opens databases and kills processes: only tests and benchmarks import it.',
    {},
    { path: '^libs/testing/' },
  ),
  rule(
    'nothing-imports-tests',
    'Code that imports a test or a benchmark runs it.',
    {},
    { path: ['^(test|bench)/', '\\.(e2e-)?spec\\.ts$'] },
  ),
  rule(
    'no-cycles',
    'A cycle has no order of loading; ES modules then see undefined classes. Cycles of types only are harmless.',
    {},
    { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
  ),
  rule(
    'no-development-package',
    'The image is installed without development packages: an import of one stops its start.',
    { path: '^(apps|libs|migrations)/' },
    { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: 'node_modules/@types/' },
  ),
  {
    name: 'no-undeclared-package',
    severity: 'error',
    comment: 'A package that package.json does not name is there by luck and gone with the next update.',
    from: {},
    to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
  },
  {
    name: 'no-unresolved-import',
    severity: 'error',
    comment: 'What is not resolved is not checked: without this rule, a broken set-up would look green.',
    from: {},
    // Before the first build there is no dist/; what may import from there is the next rule's business.
    to: { couldNotResolve: true, pathNot: '(^|/)dist/' },
  },
  {
    name: 'no-built-code',
    severity: 'error',
    comment:
      'Imports must be seen as sources: rules name sources, and built code may be stale. ' +
      'Only test/setup runs before Jest can translate, on what pretest built.',
    from: { pathNot: '^test/setup/' },
    to: { path: '(^|/)dist/', pathNot: 'node_modules/' },
  },
];

export default {
  forbidden: [...apps, ...modules, ...platform, ...providers, ...migrations, ...everywhere],
  options: {
    doNotFollow: { path: ['node_modules', '^dist/'] },
    // Type imports are imports too: a type from another module's inside is as much a leak as a class.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      // "types" first: in package.json's imports map it is the condition that leads to the sources.
      conditionNames: ['types', 'import', 'node', 'default'],
      exportsFields: ['exports'],
      mainFields: ['types', 'typings', 'module', 'main'],
      extensions: ['.ts', '.d.ts', '.mts', '.mjs', '.js', '.cjs', '.json'],
    },
  },
};
