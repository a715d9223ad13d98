import type { FastifyRequest } from 'fastify';
import { AppError, invalid } from '../errors/app-error.js';

/** The entity tag of a row's version. */
export const etagOf = (version: number | string) => `"${version}"`;

/** The version a writer expects by `If-Match`, or null when the header is absent or `*`. */
export function expectedVersion(request: FastifyRequest): string | null {
  const header = request.headers['if-match'];
  if (header === undefined || header === '*') return null;
  const match = /^(?:W\/)?"(\d{1,18})"$/.exec(header);
  if (!match?.[1]) throw invalid({ 'If-Match': ['must be the ETag of an earlier answer, or *'] });
  return match[1];
}

export const preconditionFailed = () =>
  new AppError(
    412,
    'request.precondition_failed',
    'It was changed meanwhile. Read it again and repeat your change.',
  );
