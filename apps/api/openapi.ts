import 'reflect-metadata';
import { readFileSync, writeFileSync } from 'node:fs';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Config } from '#platform/config/config.js';
import { adapter, withPrefix } from '#platform/http/http-app.js';
import { openApiDocument } from '#platform/http/openapi.js';
import { createLogger } from '#platform/observability/logger.js';
import { ApiModule } from './api.module.js';

/**
 * `node dist/apps/api/openapi.js [--check]`: writes openapi.json, or fails when it is not what the code says.
 * Preview mode constructs no provider, so neither database nor queue is needed; the values below are never used.
 */
const config = Config.from({
  DATABASE_URL: 'postgres://preview',
  ENCRYPTION_KEYS: `preview:${'0'.repeat(64)}`,
  JWT_SECRET: 'preview'.repeat(6),
});
const app = await NestFactory.create<NestFastifyApplication>(
  ApiModule.with(config, createLogger('openapi', 'silent')),
  adapter(),
  { preview: true, logger: ['error'], abortOnError: false },
);
const text = `${JSON.stringify(sortKeys(openApiDocument(withPrefix(app))), null, 2)}\n`;
if (process.argv.includes('--check')) {
  const same = readFileSync('openapi.json', 'utf8') === text;
  if (!same) console.error('openapi.json is not what the code says: run `npm run openapi` and commit it.');
  process.exit(same ? 0 : 1);
}
writeFileSync('openapi.json', text);
process.exit(0);

/** The same text on every run, whatever order the modules were scanned in. */
function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sortKeys(item)]));
}
