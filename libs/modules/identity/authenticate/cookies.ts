import type {} from '@fastify/cookie';
import type { CookieSerializeOptions } from '@fastify/cookie';
import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Config } from '#platform/config/config.js';
import { AppError } from '#platform/errors/app-error.js';
import { sameText, sign } from '../secrets.js';
import { COOKIE_MAX_SECONDS } from '../sessions.js';

const SESSION = 'instep_session';
const CSRF = 'instep_csrf';
const READS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * The cookies of a signed-in browser. The CSRF token is a keyed digest of the session's secret: it belongs to that
 * one session, and a cookie planted by a neighbouring site does not fit.
 */
@Injectable()
export class Cookies {
  constructor(private readonly config: Config) {}

  secretOf(request: FastifyRequest): string | undefined {
    return request.cookies[SESSION];
  }

  csrfOf(secret: string): string {
    return sign(this.config.jwtSecret, `csrf:${secret}`);
  }

  /**
   * A write must repeat the token in `X-CSRF-Token`; our own HTML forms, which cannot set headers, in `csrf_token`.
   * @throws AppError 403
   */
  requireCsrf(request: FastifyRequest, secret: string): void {
    if (READS.has(request.method)) return;
    const given = request.headers['x-csrf-token'] ?? formField(request, 'csrf_token');
    if (typeof given === 'string' && sameText(given, this.csrfOf(secret))) return;
    throw new AppError(
      403,
      'access.csrf',
      `A write with the session cookie must repeat the cookie ${CSRF} in the header X-CSRF-Token`,
    );
  }

  set(reply: FastifyReply, secret: string): void {
    const options = this.options({ maxAge: COOKIE_MAX_SECONDS });
    reply.setCookie(SESSION, secret, { ...options, httpOnly: true });
    // Scripts of our own pages read it, to repeat it.
    reply.setCookie(CSRF, this.csrfOf(secret), { ...options, httpOnly: false });
  }

  clear(reply: FastifyReply): void {
    reply.clearCookie(SESSION, this.options({ httpOnly: true }));
    reply.clearCookie(CSRF, this.options({}));
  }

  options(more: CookieSerializeOptions): CookieSerializeOptions {
    return { path: '/', sameSite: 'lax', secure: this.config.publicUrl.startsWith('https:'), ...more };
  }
}

/** A field of an HTML form's body. */
export function formField(request: FastifyRequest, name: string): string | undefined {
  if (!request.headers['content-type']?.startsWith('application/x-www-form-urlencoded')) return undefined;
  const value = (request.body as Record<string, unknown> | null | undefined)?.[name];
  return typeof value === 'string' ? value : undefined;
}
