import 'reflect-metadata';
import { plainToInstance } from 'class-transformer';
import {
  IsEmail,
  IsIn,
  IsInt,
  IsOptional,
  IsPort,
  IsUrl,
  Matches,
  Max,
  Min,
  MaxLength,
  MinLength,
  ValidateIf,
  validateSync,
} from 'class-validator';

const KEYS = /^[A-Za-z0-9_-]{1,16}:[0-9a-f]{64}(,[A-Za-z0-9_-]{1,16}:[0-9a-f]{64})*$/i;
const URL_OPTIONS = { require_tld: false, require_protocol: true, protocols: ['http', 'https'] };

/** What may be set, one property a variable, named as it is written. Values are still text here. */
export class EnvironmentVariables {
  @IsOptional() @MinLength(1) HOST?: string;
  @IsOptional() @IsPort() PORT?: string;
  @IsOptional() @IsUrl(URL_OPTIONS) PUBLIC_URL?: string;
  @IsOptional() @MinLength(1) TRUST_PROXY?: string;
  @IsOptional() @IsIn(['all', 'api', 'worker']) INSTEP_ROLE?: string;
  @Matches(/^postgres(ql)?:\/\//, { message: 'must be a postgres:// URL' }) DATABASE_URL: string;
  @IsOptional() @Matches(/^rediss?:\/\//, { message: 'must be a redis:// URL' }) REDIS_URL?: string;
  @IsOptional() @MinLength(1) DATA_DIR?: string;
  @Matches(KEYS, { message: 'must be id:64-hex[,id:64-hex]' }) ENCRYPTION_KEYS: string;
  @MinLength(32, { message: 'must have at least 32 characters' }) JWT_SECRET: string;
  @IsOptional() @IsEmail({ require_tld: false }) ADMIN_EMAIL?: string;
  @ValidateIf((e: EnvironmentVariables) => e.ADMIN_EMAIL !== undefined)
  @MinLength(10, { message: 'must be set, with at least 10 characters, when ADMIN_EMAIL is' })
  @MaxLength(200)
  ADMIN_PASSWORD?: string;
  @IsOptional() @IsUrl(URL_OPTIONS) FRONTEND_URL?: string;
  @IsOptional() @MinLength(1) CORS_ORIGINS?: string;
  @IsOptional() XERO_CLIENT_ID?: string;
  @IsOptional() XERO_CLIENT_SECRET?: string;
  @IsOptional() @IsUrl(URL_OPTIONS) XERO_REDIRECT_URI?: string;
  @IsOptional() XERO_SCOPES?: string;
  @IsOptional() XERO_WEBHOOK_KEY?: string;
  @IsOptional() @IsUrl(URL_OPTIONS) XERO_IDENTITY_URL?: string;
  @IsOptional() @IsUrl(URL_OPTIONS) XERO_API_URL?: string;
  @IsOptional() ZOHO_CLIENT_ID?: string;
  @IsOptional() ZOHO_CLIENT_SECRET?: string;
  @IsOptional() @IsUrl(URL_OPTIONS) ZOHO_REDIRECT_URI?: string;
  @IsOptional() @IsUrl(URL_OPTIONS) ZOHO_ACCOUNTS_URL?: string;
  @IsOptional() @IsUrl(URL_OPTIONS) ZOHO_API_URL?: string;
  @IsOptional() @IsUrl(URL_OPTIONS) ZOHO_UPLOAD_URL?: string;
  @IsOptional() @IsUrl(URL_OPTIONS) POS_CLOUD_URL?: string;
  @IsOptional() POS_CLOUD_TOKEN?: string;
  @IsOptional() @MinLength(1) POS_TERMINAL_ID?: string;
  @IsOptional() @IsIn(['auto', 'on', 'off']) SANDBOX?: string;
  @IsOptional() @IsIn(['true', 'false']) SALES_PUBLIC_READ?: string;
  @IsOptional() @IsInt() @Min(100) @Max(60_000) SSE_KEEPALIVE_MS?: number;
  @IsOptional() @IsIn(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']) LOG_LEVEL?: string;
  @IsOptional() @IsUrl(URL_OPTIONS) OTEL_EXPORTER_OTLP_ENDPOINT?: string;
  /** Set by `npm start` for the processes it starts: the database is its own embedded one. */
  @IsOptional() @IsIn(['1']) INSTEP_EMBEDDED?: string;
}

/** The validated configuration of one process. Made once at boot; injected everywhere. */
export class Config {
  readonly host: string;
  readonly port: number;
  readonly publicUrl: string;
  readonly trustProxy: boolean | string;
  readonly databaseUrl: string;
  readonly redisUrl: string | undefined;
  readonly encryptionKeys: readonly { id: string; key: Buffer }[];
  readonly jwtSecret: Uint8Array;
  readonly admin: { email: string; password: string } | undefined;
  readonly frontendUrl: string;
  readonly corsOrigins: readonly string[];
  readonly salesPublicRead: boolean;
  readonly sseKeepAliveMs: number;
  readonly logLevel: string;
  readonly otlpEndpoint: string | undefined;
  readonly embedded: boolean;

  private constructor(env: EnvironmentVariables) {
    this.host = env.HOST ?? '127.0.0.1';
    this.port = Number(env.PORT ?? 3001);
    this.publicUrl = (env.PUBLIC_URL ?? `http://localhost:${this.port}`).replace(/\/+$/, '');
    this.trustProxy = env.TRUST_PROXY === 'true' ? true : (env.TRUST_PROXY ?? false);
    this.databaseUrl = env.DATABASE_URL;
    this.redisUrl = env.REDIS_URL;
    this.encryptionKeys = env.ENCRYPTION_KEYS.split(',').map((entry) => {
      const [id = '', hex = ''] = entry.split(':');
      return { id, key: Buffer.from(hex, 'hex') };
    });
    this.jwtSecret = new TextEncoder().encode(env.JWT_SECRET);
    this.admin =
      env.ADMIN_EMAIL && env.ADMIN_PASSWORD
        ? { email: env.ADMIN_EMAIL.toLowerCase(), password: env.ADMIN_PASSWORD }
        : undefined;
    this.frontendUrl = (env.FRONTEND_URL ?? this.publicUrl).replace(/\/+$/, '');
    this.corsOrigins = env.CORS_ORIGINS?.split(',').map((o) => o.trim()) ?? [];
    this.salesPublicRead = env.SALES_PUBLIC_READ === 'true';
    this.sseKeepAliveMs = env.SSE_KEEPALIVE_MS ?? 1000;
    this.logLevel = env.LOG_LEVEL ?? 'info';
    this.otlpEndpoint = env.OTEL_EXPORTER_OTLP_ENDPOINT;
    this.embedded = env.INSTEP_EMBEDDED === '1';
  }

  /**
   * Reads and checks every variable.
   * @throws ConfigError naming all missing and malformed variables at once, never their values.
   */
  static from(env: NodeJS.ProcessEnv): Config {
    const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
    const numbers = { SSE_KEEPALIVE_MS: given.SSE_KEEPALIVE_MS && Number(given.SSE_KEEPALIVE_MS) };
    const variables = plainToInstance(EnvironmentVariables, { ...given, ...numbers });
    const problems = validateSync(variables, { stopAtFirstError: true }).map((error) => {
      const why = Object.values(error.constraints ?? {})[0] ?? 'is malformed';
      const missing = given[error.property] === undefined;
      return `${error.property} ${missing ? 'is missing: it ' : ''}${why.replace(`${error.property} `, '')}`;
    });
    if (given.SANDBOX === 'on' && given.INSTEP_EMBEDDED !== '1' && given.DATABASE_URL) {
      problems.push('SANDBOX must not be "on" together with DATABASE_URL: samples would mix with real books');
    }
    const ids = given.ENCRYPTION_KEYS?.split(',').map((entry) => entry.split(':')[0]) ?? [];
    if (new Set(ids).size < ids.length)
      problems.push('ENCRYPTION_KEYS has two keys of one id: give each its own');
    if (problems.length > 0) throw new ConfigError(problems);
    return new Config(variables);
  }
}

/** Every problem found with the environment, one line each. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`The configuration is not complete:\n${problems.map((p) => `  - ${p}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}
