/** One forbidden import. `import` is a path in the tree, or a package's name after `npm:`. */
export interface Violation {
  readonly rule: string;
  readonly from: string;
  readonly imports: string;
  /** What the cruiser reports as target, where that differs from `imports`. */
  readonly to?: string;
  readonly typeOnly?: boolean;
}

const api = 'apps/api';
const sandbox = 'apps/sandbox';
const modules = 'libs/modules';
const platform = 'libs/platform';
const providers = 'libs/providers';

const dag: [module: string, forbidden: string][] = [
  ['identity', 'billing'],
  ['billing', 'xero'],
  ['xero', 'crm'],
  ['crm', 'bulk'],
  ['bulk', 'xero'],
  ['sales', 'pos'],
  ['pos', 'sales'],
  ['search', 'analytics'],
  ['analytics', 'operations'],
  ['operations', 'search'],
];

const strangeProvider: [module: string, provider: string][] = [
  ['identity', 'xero'],
  ['billing', 'xero'],
  ['xero', 'zoho'],
  ['crm', 'http-client'],
  ['bulk', 'pos-cloud'],
  ['sales', 'pos-cloud'],
  ['pos', 'zoho'],
  ['search', 'zoho'],
  ['analytics', 'xero'],
  ['operations', 'http-client'],
];

/** `http` is the top layer: only a folder that is no layer is not below it. */
const upwards: [layer: string, notBelow: string][] = [
  ['config', 'errors'],
  ['errors', 'config'],
  ['observability', 'persistence'],
  ['persistence', 'queue'],
  ['queue', 'audit'],
  ['audit', 'queue'],
  ['streams', 'connections'],
  ['connections', 'sync'],
  ['sync', 'http'],
  ['http', 'mail'],
];

/** Every rule of .dependency-cruiser.mjs, broken at least once. */
export const violations: readonly Violation[] = [
  {
    rule: 'apps-use-only-module-wiring',
    from: `${api}/reads-contract.ts`,
    imports: `${modules}/xero/contract.ts`,
  },
  { rule: 'apps-use-no-provider', from: `${api}/calls-xero.ts`, imports: `${providers}/xero/client.ts` },
  { rule: 'apps-are-separate', from: `${api}/looks-into-worker.ts`, imports: 'apps/worker/worker.module.ts' },
  {
    rule: 'sandbox-runs-apart',
    from: 'apps/standalone/embeds-sandbox.ts',
    imports: `${sandbox}/main.ts`,
  },
  {
    rule: 'sandbox-knows-no-module',
    from: `${sandbox}/knows-xero.ts`,
    imports: `${modules}/xero/xero.module.ts`,
  },
  {
    rule: 'sandbox-uses-only-config-and-errors',
    from: `${sandbox}/keeps-rows.ts`,
    imports: `${platform}/persistence/database.ts`,
  },
  { rule: 'libs-import-no-app', from: `${modules}/sales/knows-app.ts`, imports: `${api}/api.module.ts` },

  {
    rule: 'module-door-is-contract',
    from: `${modules}/xero/goes-round-the-door.ts`,
    imports: `${modules}/billing/invoice.service.ts`,
  },
  {
    rule: 'modules-are-the-known-ten',
    from: `${modules}/sales/uses-unknown.ts`,
    imports: `${modules}/payroll/contract.ts`,
  },
  {
    rule: 'entities-never-leave-their-module',
    from: `${modules}/xero/borrows-entity.ts`,
    imports: `${modules}/billing/entities/invoice.entity.ts`,
    typeOnly: true,
  },
  {
    rule: 'entities-stay-in-modules',
    from: `${platform}/persistence/knows-entity.ts`,
    imports: `${modules}/billing/entities/invoice.entity.ts`,
  },
  {
    rule: 'contract-shows-no-entity',
    from: `${modules}/billing/contract.ts`,
    imports: `${modules}/billing/entities/invoice.entity.ts`,
    typeOnly: true,
  },
  ...dag.map(([name, forbidden]) => ({
    rule: `module-dag-${name}`,
    from: `${modules}/${name}/reaches-${forbidden}.ts`,
    imports: `${modules}/${forbidden}/contract.ts`,
  })),
  ...strangeProvider.map(([name, provider]) => ({
    rule: `module-provider-${name}`,
    from: `${modules}/${name}/calls-${provider}.ts`,
    imports: `${providers}/${provider}/client.ts`,
  })),

  ...upwards.map(([layer, target]) => ({
    rule: `platform-layer-${layer}`,
    from: `${platform}/${layer}/reaches-${target}.ts`,
    imports: `${platform}/${target}/${target}.ts`,
  })),
  {
    rule: 'platform-has-only-its-layers',
    from: `${modules}/sales/sends-mail.ts`,
    imports: `${platform}/mail/mail.ts`,
  },
  {
    rule: 'platform-knows-no-business',
    from: `${platform}/sync/knows-xero.ts`,
    imports: `${modules}/xero/contract.ts`,
  },

  {
    rule: 'providers-are-the-known-four',
    from: `${modules}/sales/calls-stripe.ts`,
    imports: `${providers}/stripe/client.ts`,
  },
  {
    rule: 'providers-use-only-http-client-and-base',
    from: `${providers}/xero/keeps-session.ts`,
    imports: `${platform}/sync/sync.ts`,
  },
  {
    rule: 'providers-use-only-http-client-and-base',
    from: `${providers}/http-client/knows-zoho.ts`,
    imports: `${providers}/zoho/client.ts`,
  },
  {
    rule: 'providers-use-no-database-bus-or-queue',
    from: `${providers}/zoho/opens-database.ts`,
    imports: 'npm:pg',
    to: 'node_modules/pg/index.js',
  },
  {
    rule: 'providers-use-no-database-bus-or-queue',
    from: `${providers}/zoho/uses-bus.ts`,
    imports: 'npm:@nestjs/cqrs',
    to: 'node_modules/@nestjs/cqrs/index.js',
  },

  {
    rule: 'migrations-use-only-platform-base',
    from: 'migrations/1700000000001-sales-leans-on-module.ts',
    imports: `${modules}/sales/contract.ts`,
  },
  {
    rule: 'migrations-use-only-typeorm-and-pg',
    from: 'migrations/1700000000002-sales-leans-on-package.ts',
    imports: 'npm:decimal.js',
    to: 'node_modules/decimal.js/index.js',
  },
  {
    rule: 'only-starts-migrate',
    from: `${api}/migrates.ts`,
    imports: 'migrations/data-source.ts',
  },

  {
    rule: 'only-tests-use-testing',
    from: `${modules}/sales/uses-test-clock.ts`,
    imports: 'libs/testing/clock.ts',
  },
  {
    rule: 'nothing-imports-tests',
    from: `${modules}/sales/imports-spec.ts`,
    imports: `${modules}/sales/sales.spec.ts`,
  },
  { rule: 'nothing-imports-tests', from: `${modules}/sales/imports-bench.ts`, imports: 'bench/main.ts' },
  { rule: 'no-cycles', from: `${modules}/pos/egg.ts`, imports: `${modules}/pos/hen.ts` },
  {
    rule: 'no-development-package',
    from: `${api}/needs-linter.ts`,
    imports: 'npm:eslint',
    to: 'node_modules/eslint/index.js',
  },
  {
    rule: 'no-undeclared-package',
    from: `${api}/needs-stray.ts`,
    imports: 'npm:stray',
    to: 'node_modules/stray/index.js',
  },
  {
    rule: 'no-unresolved-import',
    from: `${api}/imports-nothing.ts`,
    imports: 'npm:#platform/config/nowhere.js',
    to: '#platform/config/nowhere.js',
  },
  { rule: 'no-built-code', from: `${api}/imports-built.ts`, imports: 'dist/libs/platform/config/config.js' },
];

/** The rest of the tree: what closes the cycle (which is reported once, at its first file). */
export const background: readonly (readonly [from: string, imports: string])[] = [
  [`${modules}/pos/hen.ts`, `${modules}/pos/egg.ts`],
];

/** Imports that DESIGN 3 allows and that a rule drawn too wide would refuse. */
export const allowed: readonly (readonly [from: string, imports: string])[] = [
  [`${api}/api.module.ts`, `${modules}/xero/xero.module.ts`],
  [`${api}/main.ts`, `${platform}/http/http.ts`],
  ['apps/standalone/main.ts', 'apps/cli/migrate.ts'],
  ['apps/standalone/runs-migrations.ts', 'migrations/data-source.ts'],
  [`${sandbox}/main.ts`, `${platform}/config/config.ts`],
  [`${sandbox}/xero/xero.ts`, `${sandbox}/journal.ts`],
  [`${modules}/xero/uses-billing.ts`, `${modules}/billing/contract.ts`],
  [`${modules}/bulk/uses-crm.ts`, `${modules}/crm/contract.ts`],
  [`${modules}/operations/uses-identity.ts`, `${modules}/identity/contract.ts`],
  [`${modules}/xero/calls-own-provider.ts`, `${providers}/xero/client.ts`],
  [`${modules}/bulk/calls-own-provider.ts`, `${providers}/zoho/client.ts`],
  [`${modules}/pos/calls-own-provider.ts`, `${providers}/pos-cloud/client.ts`],
  [`${modules}/billing/uses-entity.ts`, `${modules}/billing/entities/invoice.entity.ts`],
  [`${modules}/sales/sales.spec.ts`, 'libs/testing/clock.ts'],
  [`${platform}/sync/uses-queue.ts`, `${platform}/queue/queue.ts`],
  [`${platform}/http/uses-sync.ts`, `${platform}/sync/sync.ts`],
  [`${providers}/xero/client.ts`, `${providers}/http-client/client.ts`],
  [`${providers}/zoho/client.ts`, `${platform}/observability/observability.ts`],
  ['migrations/data-source.ts', `${platform}/persistence/database.ts`],
  ['migrations/1700000000003-sales-create.ts', 'npm:typeorm'],
  ['libs/testing/app.ts', `${api}/api.module.ts`],
  ['test/e2e/story.e2e-spec.ts', `${modules}/billing/entities/invoice.entity.ts`],
  ['bench/main.ts', `${providers}/zoho/client.ts`],
];
