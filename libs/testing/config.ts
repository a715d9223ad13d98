import { Config } from '#platform/config/config.js';

export const ADMIN = { email: 'admin@test.local', password: 'correct horse battery' };

/** Variables of a process under test. */
export const testEnvironment = (
  databaseUrl: string,
  extra: Record<string, string> = {},
): Record<string, string> => ({
  DATABASE_URL: databaseUrl,
  ENCRYPTION_KEYS: `t1:${'ab'.repeat(32)}`,
  JWT_SECRET: 'a test secret that is long enough to be one',
  ADMIN_EMAIL: ADMIN.email,
  ADMIN_PASSWORD: ADMIN.password,
  LOG_LEVEL: 'error',
  SANDBOX: 'off',
  ...extra,
});

export const testConfig = (databaseUrl: string, extra: Record<string, string> = {}): Config =>
  Config.from(testEnvironment(databaseUrl, extra));
