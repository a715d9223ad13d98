import type { LoggerService } from '@nestjs/common';
import { type Logger, pino } from 'pino';
import { currentContext } from './request-context.js';

const SECRET_FIELDS = [
  'authorization',
  'cookie',
  'x-api-key',
  'password',
  'token',
  'ticket',
  'secret',
  'key',
];

/** JSON lines on standard output; each carries the correlation id of the request or job that wrote it. */
export function createLogger(name: string, level: string): Logger {
  return pino({
    name,
    level,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: SECRET_FIELDS.flatMap((f) => [`["${f}"]`, `*["${f}"]`]), censor: '[redacted]' },
    formatters: { level: (label) => ({ level: label }) },
    mixin: () => {
      const { correlationId } = currentContext();
      return correlationId === 'none' ? {} : { correlation_id: correlationId };
    },
  });
}

/** Nest's own log lines through the same pino logger. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log = (message: unknown, context?: string) => this.logger.debug({ context }, String(message));
  warn = (message: unknown, context?: string) => this.logger.warn({ context }, String(message));
  debug = (message: unknown, context?: string) => this.logger.trace({ context }, String(message));
  verbose = this.debug;

  error(message: unknown, ...rest: unknown[]): void {
    const [stack, context] = rest;
    this.logger.error({ context, stack }, message instanceof Error ? message.message : String(message));
  }
}
