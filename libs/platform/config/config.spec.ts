import { testEnvironment } from '#testing/config.js';
import { Config, ConfigError } from './config.js';

const from = (extra: NodeJS.ProcessEnv = {}) =>
  Config.from({ ...testEnvironment('postgres://u:p@h:5432/d'), ...extra });

function problemsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    Config.from(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('what is missing or malformed', () => {
  it('is told all at once, each by its name', () => {
    const problems = problemsOf({
      PORT: '70000',
      SANDBOX: 'maybe',
      JWT_SECRET: 'short',
      SSE_KEEPALIVE_MS: 'soon',
    });
    const named = problems.map((problem) => problem.split(' ')[0]).sort();
    expect(named).toEqual([
      'DATABASE_URL',
      'ENCRYPTION_KEYS',
      'JWT_SECRET',
      'PORT',
      'SANDBOX',
      'SSE_KEEPALIVE_MS',
    ]);
    expect(
      problems
        .filter((problem) => problem.includes('is missing'))
        .map((p) => p.split(' ')[0])
        .sort(),
    ).toEqual(['DATABASE_URL', 'ENCRYPTION_KEYS']);
  });

  it('is never told with its value', () => {
    const secret = 'S3CR3T';
    const env = Object.fromEntries(
      [
        'HOST',
        'PORT',
        'PUBLIC_URL',
        'INSTEP_ROLE',
        'DATABASE_URL',
        'REDIS_URL',
        'ENCRYPTION_KEYS',
        'JWT_SECRET',
        'ADMIN_EMAIL',
        'ADMIN_PASSWORD',
        'FRONTEND_URL',
        'XERO_API_URL',
        'ZOHO_API_URL',
        'POS_CLOUD_URL',
        'SANDBOX',
        'SALES_PUBLIC_READ',
        'SSE_KEEPALIVE_MS',
        'LOG_LEVEL',
        'OTEL_EXPORTER_OTLP_ENDPOINT',
      ].map((name) => [name, secret]),
    );
    const problems = problemsOf(env);
    expect(problems.length).toBeGreaterThanOrEqual(15);
    expect(problems.join('\n')).not.toContain(secret);
    expect(new ConfigError(problems).message).not.toContain(secret);
  });

  it.each<[string, string]>([
    ['PORT', '0x10'],
    ['PORT', '-1'],
    ['PORT', '3001.5'],
    ['DATABASE_URL', 'mysql://h/d'],
    ['REDIS_URL', 'http://h'],
    ['ENCRYPTION_KEYS', `a:${'ab'.repeat(31)}`],
    ['ENCRYPTION_KEYS', `a:${'ab'.repeat(32)},`],
    ['ENCRYPTION_KEYS', 'ab'.repeat(32)],
    ['JWT_SECRET', 'x'.repeat(31)],
    ['ADMIN_EMAIL', 'nobody'],
    ['ADMIN_PASSWORD', 'short'],
    ['SALES_PUBLIC_READ', 'yes'],
    ['SSE_KEEPALIVE_MS', '99'],
    ['SSE_KEEPALIVE_MS', '1.5'],
    ['LOG_LEVEL', 'loud'],
    ['PUBLIC_URL', 'ftp://h'],
    ['PUBLIC_URL', 'localhost'],
    ['INSTEP_ROLE', 'both'],
  ])('%s=%s is refused', (name, value) => {
    expect(problemsOf({ ...testEnvironment('postgres://h/d'), [name]: value })).toEqual([
      expect.stringMatching(new RegExp(`^${name} `)),
    ]);
  });

  it('an administrator needs a password', () => {
    const { ADMIN_PASSWORD: _none, ...env } = testEnvironment('postgres://h/d');
    expect(problemsOf(env)).toEqual([expect.stringMatching(/^ADMIN_PASSWORD is missing/)]);
  });

  it('the sandbox never meets a database of its own', () => {
    expect(problemsOf({ ...testEnvironment('postgres://h/d'), SANDBOX: 'on' })).toEqual([
      expect.stringMatching(/^SANDBOX /),
    ]);
    expect(problemsOf({ ...testEnvironment('postgres://h/d'), SANDBOX: 'on', INSTEP_EMBEDDED: '1' })).toEqual(
      [],
    );
  });
});

describe('what is given', () => {
  it('has the defaults of the documentation', () => {
    const config = from({ ADMIN_EMAIL: '', ADMIN_PASSWORD: '', LOG_LEVEL: '' });
    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 3001,
      publicUrl: 'http://localhost:3001',
      frontendUrl: 'http://localhost:3001',
      trustProxy: false,
      corsOrigins: [],
      salesPublicRead: false,
      sseKeepAliveMs: 1000,
      logLevel: 'info',
    });
    expect([config.admin, config.redisUrl, config.otlpEndpoint]).toEqual([undefined, undefined, undefined]);
  });

  it('is read as what it means', () => {
    expect(
      from({
        PORT: '8080',
        PUBLIC_URL: 'https://instep.example/',
        CORS_ORIGINS: 'https://a.example, https://b.example',
        SALES_PUBLIC_READ: 'true',
        SSE_KEEPALIVE_MS: '250',
        TRUST_PROXY: '10.0.0.0/8',
        ADMIN_EMAIL: 'Ada@Example.com',
        REDIS_URL: 'rediss://h:6380',
      }),
    ).toMatchObject({
      port: 8080,
      publicUrl: 'https://instep.example',
      frontendUrl: 'https://instep.example',
      corsOrigins: ['https://a.example', 'https://b.example'],
      salesPublicRead: true,
      sseKeepAliveMs: 250,
      trustProxy: '10.0.0.0/8',
      admin: { email: 'ada@example.com' },
      redisUrl: 'rediss://h:6380',
    });
  });

  it('empty counts as not given', () => {
    expect(from({ PORT: '', SALES_PUBLIC_READ: '', REDIS_URL: '' })).toMatchObject({
      port: 3001,
      salesPublicRead: false,
    });
  });

  it('has keys in their order, the first to write with', () => {
    const { encryptionKeys } = from({ ENCRYPTION_KEYS: `new:${'ab'.repeat(32)},old-1:${'CD'.repeat(32)}` });
    expect(encryptionKeys.map(({ id, key }) => [id, key.toString('hex')])).toEqual([
      ['new', 'ab'.repeat(32)],
      ['old-1', 'cd'.repeat(32)],
    ]);
  });

  it('two keys of one name are a mistake', () => {
    expect(
      problemsOf({
        ...testEnvironment('postgres://h/d'),
        ENCRYPTION_KEYS: `a:${'11'.repeat(32)},a:${'22'.repeat(32)}`,
      }),
    ).toEqual([expect.stringMatching(/^ENCRYPTION_KEYS /)]);
  });
});
