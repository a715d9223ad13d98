import { HttpException } from '@nestjs/common';
import { AppError, type FieldErrors } from '../errors/app-error.js';
import { isConnectionLost } from '../persistence/database.js';

/** The body of every error, `application/problem+json` (RFC 9457) with the fields that the seeds show. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  status_code: number;
  success: false;
  code: string;
  message: string;
  detail: string;
  errors?: FieldErrors;
  correlation_id: string;
  [extra: string]: unknown;
}

const TITLES: Record<number, string> = {
  400: 'Bad request',
  401: 'Not signed in',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Method not allowed',
  409: 'Conflict',
  412: 'Changed meanwhile',
  413: 'Too large',
  415: 'Unsupported content type',
  422: 'Not processable',
  429: 'Too many requests',
  500: 'Internal error',
  503: 'Not available',
};

/** Fastify's own refusals, in our words. */
const FASTIFY: Record<string, [status: number, code: string, message: string]> = {
  FST_ERR_MAX_PARAM_LENGTH: [404, 'request.no_route', 'There is nothing at this address; see /docs'],
  FST_ERR_BAD_URL: [400, 'request.bad_url', 'The address has an escape (%) that is none'],
  FST_ERR_CTP_BODY_TOO_LARGE: [413, 'request.too_large', 'The body is larger than this route takes'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    415,
    'request.unsupported_type',
    'This Content-Type is not taken here; see /docs',
  ],
  FST_ERR_CTP_EMPTY_JSON_BODY: [400, 'request.not_json', 'The body is empty; send a JSON object'],
  FST_ERR_CTP_INVALID_JSON_BODY: [400, 'request.not_json', 'The body is not valid JSON'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    400,
    'request.torn',
    'The body is shorter or longer than Content-Length says',
  ],
};

/** @returns an error for the caller; everything unforeseen becomes a 500 without internals */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof HttpException) return fromHttpException(error);
  const { code, statusCode } = error as { code?: string; statusCode?: number };
  const known = code ? FASTIFY[code] : undefined;
  if (known) return new AppError(...known);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new AppError(statusCode, 'request.refused', TITLES[statusCode] ?? 'The request was refused');
  }
  if (isConnectionLost(error)) {
    return new AppError(
      503,
      'database.unavailable',
      'The database does not answer; try again in a few seconds',
      {
        headers: { 'retry-after': '2' },
      },
    );
  }
  return new AppError(
    500,
    'internal.unexpected',
    'Something went wrong here. Give the correlation id to your administrator.',
  );
}

function fromHttpException(error: HttpException): AppError {
  // Nest wraps what Fastify throws.
  const known = FASTIFY[(error.cause as { code?: string } | undefined)?.code ?? ''];
  if (known) return new AppError(...known);
  if (error.cause instanceof AppError) return error.cause;
  const status = error.getStatus();
  const code = { 404: 'request.no_route', 429: 'request.too_many' }[status] ?? 'request.refused';
  return new AppError(
    status,
    code,
    status === 404 ? 'There is nothing at this address; see /docs' : error.message,
  );
}

export function problemOf(error: AppError, correlationId: string): Problem {
  const fields = Object.entries(error.options.errors ?? {});
  return {
    type: `urn:instep:error:${error.code}`,
    title: TITLES[error.status] ?? 'Error',
    status: error.status,
    status_code: error.status,
    success: false,
    code: error.code,
    message: error.message,
    detail:
      fields.length > 0
        ? fields.map(([path, messages]) => `${path} ${messages.join(', ')}`).join('; ')
        : error.message,
    ...(error.options.errors && { errors: error.options.errors }),
    ...error.options.extra,
    correlation_id: correlationId,
  };
}
