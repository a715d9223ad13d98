import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import cookie from '@fastify/cookie';
import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import { type DynamicModule, RequestMethod } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { type Config } from '../config/config.js';
import { AppError, invalid } from '../errors/app-error.js';
import { NestLogger } from '../observability/logger.js';
import { Metrics } from '../observability/metrics.js';
import { LOGGER } from '../observability/observability.module.js';
import { runInContext } from '../observability/request-context.js';
import { type RequestSpan, startRequestSpan } from '../observability/tracing.js';
import type { BodyKind } from './body-kind.js';
import { parseJsonBody } from './json-body.js';
import { mountDocs } from './openapi.js';
import { ProblemFilter } from './problem.filter.js';
import { problemOf, toAppError } from './problem.js';
import { validationPipe } from './validation.pipe.js';

const MIB = 1024 * 1024;
/** Bodies of file imports, streamed to the handler; the handler counts. */
const STREAMED_TYPES = ['application/x-ndjson', 'text/csv'];
const CORRELATION_ID = /^[A-Za-z0-9._-]{8,64}$/;

/** Routes that stand outside of `/api`. */
const UNPREFIXED = [
  '/',
  'sign-in',
  'sign-out',
  'metrics',
  'app/settings',
  'workflow/*path',
  'health',
  'health/*path',
  'api/health',
];

/** Options that the running API and the OpenAPI document generator must share. */
export const adapter = (config?: Config) =>
  new FastifyAdapter({
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 200 },
    // Requests under way are answered; streams are ended by the hub, and what is left is cut (see Drain).
    forceCloseConnections: 'idle',
    trustProxy: config?.trustProxy ?? false,
    bodyLimit: MIB,
    logger: false,
    // What fails before there is a route: a bad escape, an endless parameter.
    frameworkErrors: (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
      const problem = problemOf(toAppError(error), request.id);
      void reply
        .status(problem.status)
        .header('x-correlation-id', request.id)
        .type('application/problem+json')
        .send(JSON.stringify(problem));
    },
    genReqId: () => randomUUID(),
  });

export const withPrefix = (app: NestFastifyApplication): NestFastifyApplication =>
  app.setGlobalPrefix('api', { exclude: UNPREFIXED.map((path) => ({ path, method: RequestMethod.ALL })) });

/** Builds the HTTP application around a root module, ready to listen. */
export async function createHttpApp(
  module: DynamicModule,
  config: Config,
  logger: Logger,
  options: { docsPage?: boolean } = {},
): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter(config), {
    bodyParser: false,
    bufferLogs: false,
    abortOnError: false,
    logger: new NestLogger(logger),
  });
  const fastify: FastifyInstance = app.getHttpAdapter().getInstance();
  observeRequests(fastify, app.get(Metrics), logger, config.otlpEndpoint !== undefined);
  await app.register(cookie);
  await secureHeaders(app, fastify, config);
  if (config.corsOrigins.length > 0) {
    await app.register(cors, {
      origin: [...config.corsOrigins],
      credentials: true,
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
      exposedHeaders: ['etag', 'x-correlation-id', 'retry-after'],
    });
  }
  refuseNul(fastify);
  parseBodies(fastify);
  withPrefix(app);
  app.useGlobalPipes(validationPipe());
  app.useGlobalFilters(new ProblemFilter(app.get(LOGGER)));
  mountDocs(app, options.docsPage ?? true);
  return app;
}

/** All of them on pages; JSON answers need only be taken for what they are, and come often. */
async function secureHeaders(
  app: NestFastifyApplication,
  fastify: FastifyInstance,
  config: Config,
): Promise<void> {
  const https = config.publicUrl.startsWith('https:');
  await app.register(helmet, {
    global: false,
    contentSecurityPolicy: {
      directives: {
        defaultSrc: [`'self'`],
        styleSrc: [`'self'`, `'unsafe-inline'`],
        imgSrc: [`'self'`, 'data:'],
        formAction: [`'self'`],
        frameAncestors: [`'none'`],
        upgradeInsecureRequests: https ? [] : null,
      },
    },
    strictTransportSecurity: https,
  });
  fastify.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done: () => void) => {
    if (request.url.startsWith('/api/')) {
      void reply.header('x-content-type-options', 'nosniff');
      if (https) void reply.header('strict-transport-security', 'max-age=31536000; includeSubDomains');
    } else {
      void reply.helmet();
    }
    done();
  });
}

function observeRequests(fastify: FastifyInstance, metrics: Metrics, logger: Logger, traced: boolean): void {
  const spans = new WeakMap<FastifyRequest, RequestSpan>();
  fastify.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done: () => void) => {
    const given = request.headers['x-correlation-id'];
    const correlationId = typeof given === 'string' && CORRELATION_ID.test(given) ? given : request.id;
    void reply.header('x-correlation-id', correlationId);
    if (!traced) return runInContext({ correlationId, address: request.ip }, done);
    const span = startRequestSpan(request.method, request.headers);
    spans.set(request, span);
    span.run(() => runInContext({ correlationId, address: request.ip, trace: span.carrier }, done));
  });
  fastify.addHook('onResponse', (request: FastifyRequest, reply: FastifyReply, done: () => void) => {
    const route = request.routeOptions.url ?? 'unknown';
    const { statusCode: status } = reply;
    metrics.httpDuration.observe({ method: request.method, route, status }, reply.elapsedTime / 1000);
    spans.get(request)?.end(route, status);
    const line = { method: request.method, route, status, ms: Math.round(reply.elapsedTime) };
    if (status >= 500 || (request.method !== 'GET' && request.method !== 'HEAD'))
      logger.info(line, 'request');
    else logger.debug(line, 'request');
    done();
  });
}

function parseBodies(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser(
    /^application\/([\w.+-]+\+)?json\b/,
    { parseAs: 'buffer' },
    (
      request: FastifyRequest & { rawBody?: Buffer },
      body: Buffer,
      done: (error: Error | null, value?: unknown) => void,
    ) => {
      request.rawBody = body;
      if (!isUtf8(body)) return done(new AppError(400, 'request.not_json', 'The body is not UTF-8'));
      try {
        done(null, body.length === 0 ? undefined : parseJsonBody(body.toString('utf8')));
      } catch (error) {
        done(error as Error);
      }
    },
  );
  fastify.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: 16 * 1024 },
    (request: FastifyRequest, body: string, done: Done) =>
      takes(request, 'form')
        ? done(null, Object.fromEntries(new URLSearchParams(body)))
        : done(unsupportedType()),
  );
  fastify.addContentTypeParser(STREAMED_TYPES, (request: FastifyRequest, payload: unknown, done: Done) =>
    takes(request, 'stream') ? done(null, payload) : done(unsupportedType()),
  );
}

type Done = (error: Error | null, value?: unknown) => void;

/** A stream that reached a validated body would be walked into like any object: only routes that ask get one. */
const takes = (request: FastifyRequest, body: BodyKind) =>
  (request.routeOptions.config as { body?: BodyKind }).body === body;

const unsupportedType = () =>
  new AppError(415, 'request.unsupported_type', 'This Content-Type is not taken here; see /docs');

function refuseNul(fastify: FastifyInstance): void {
  fastify.addHook(
    'onRequest',
    (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void) => {
      const nul = /(?:[?&]([^=&]*)=[^&]*)?%00/i.exec(request.url);
      done(nul ? invalid({ [nul[1] || 'path']: ['must not contain a NUL character'] }) : undefined);
    },
  );
}
