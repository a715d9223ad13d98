import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const TESTS = ['**/*.spec.ts', '**/*.e2e-spec.ts', 'test/**/*.ts', 'libs/testing/**/*.ts'];

const environment = {
  message: 'Only libs/platform/config reads the environment; inject Config (tests: test/setup).',
};

const inProcessEvents = {
  name: '@nestjs/cqrs',
  importNames: [
    ...['EventBus', 'EventPublisher', 'EventsHandler', 'IEventHandler', 'IEvent'],
    ...['AggregateRoot', 'Saga', 'ofType'],
  ],
  message: 'In-process events are lost when a handler throws: write an outbox row in the same transaction.',
};

const restrictedImports = [
  inProcessEvents,
  {
    name: '@nestjs/typeorm',
    importNames: ['InjectRepository'],
    message: 'An injected repository does not join the transaction: take the manager from Database.',
  },
  {
    name: '@nestjs/common',
    importNames: ['forwardRef'],
    message: 'A circular dependency: the lower side publishes an outbox event instead.',
  },
];

const processEnvironmentImports = ['process', 'node:process'].map((name) => ({
  name,
  importNames: ['env', 'default'],
  ...environment,
}));

const money = 'Money is decimal.js, never a float; for other numbers use Number(text) and check the result.';

export default defineConfig(
  globalIgnores(['dist/', 'coverage/', '.data/', 'test/.tmp/', 'node_modules/']),
  {
    // A rule that does not fit is changed here, for everybody, with a reason; comments cannot switch it off.
    linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'error' },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked, tseslint.configs.stylistic],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/ban-ts-comment': ['error', { 'ts-expect-error': true }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/no-deprecated': 'error',
      // It reads emitDecoratorMetadata from tsconfig and leaves files with decorators alone: there an import
      // that looks like a type is what Nest injects by, and must stay a value.
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { prefer: 'type-imports', fixStyle: 'inline-type-imports', disallowTypeAnnotations: false },
      ],
      // Nest modules, and DTOs without members, are classes by design.
      '@typescript-eslint/no-extraneous-class': 'off',
      // A handler keeps its promise-shaped signature whether or not it awaits today.
      '@typescript-eslint/require-await': 'off',
      // Without its annotation, a DTO property with a default has no type in the decorators' metadata.
      '@typescript-eslint/no-inferrable-types': ['error', { ignoreProperties: true, ignoreParameters: true }],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-empty-function': ['error', { allow: ['arrowFunctions', 'constructors'] }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      '@typescript-eslint/naming-convention': [
        'error',
        { selector: 'typeLike', format: null, custom: { regex: '^I[A-Z][a-z]', match: false } },
      ],
      'max-lines': ['error', { max: 300 }],
      'no-console': 'error',
      eqeqeq: ['error', 'smart'],
      'no-restricted-globals': ['error', { name: 'parseFloat', message: money }],
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', ...environment },
        { object: 'Number', property: 'parseFloat', message: money },
      ],
      'no-restricted-imports': ['error', { paths: [...restrictedImports, ...processEnvironmentImports] }],
    },
  },
  {
    files: ['libs/platform/config/**/*.ts', 'test/setup/**/*.ts', 'bench/**/*.ts'],
    rules: {
      'no-restricted-properties': 'off',
      'no-restricted-imports': ['error', { paths: restrictedImports }],
    },
  },
  {
    // These talk to a person at a terminal; everything else writes JSON logs.
    files: ['apps/standalone/**/*.ts', 'apps/cli/**/*.ts', 'apps/sandbox/main.ts', 'apps/api/openapi.ts'],
    rules: { 'no-console': 'off' },
  },
  {
    files: ['bench/**/*.ts', 'test/setup/**/*.ts'],
    rules: { 'no-console': 'off' },
  },
  {
    files: TESTS,
    rules: {
      'max-lines': 'off',
      // expect(object.method) does not call it; Jest's asymmetric matchers are typed any.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
    },
  },
  {
    files: ['**/*.mjs'],
    extends: [tseslint.configs.recommended],
    rules: { 'max-lines': ['error', { max: 300 }] },
  },
);
