import { Injectable } from '@nestjs/common';
import { SignJWT, errors, jwtVerify } from 'jose';
import { Config } from '#platform/config/config.js';
import { AppError } from '#platform/errors/app-error.js';

/** Seconds that an access token lives. */
export const ACCESS_TOKEN_SECONDS = 15 * 60;

const ISSUER = 'instep';
const AUDIENCE = 'instep-api';

export interface AccessClaims {
  userId: string;
  sessionId: string;
  /** Epoch milliseconds. */
  expiresAt: number;
}

/**
 * Access tokens: JWT, HS256 and nothing else. They say who and which sign-in, never what is allowed: the role is
 * read from the database, so that taking it away works at once.
 */
@Injectable()
export class AccessTokens {
  constructor(private readonly config: Config) {}

  issue(userId: string, sessionId: string): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ sid: sessionId })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setSubject(userId)
      .setIssuedAt(now)
      .setExpirationTime(now + ACCESS_TOKEN_SECONDS)
      .sign(this.config.jwtSecret);
  }

  /** @throws AppError 401 for anything that is not a live token of ours */
  async verify(token: string): Promise<AccessClaims> {
    try {
      const { payload } = await jwtVerify(token, this.config.jwtSecret, {
        algorithms: ['HS256'],
        issuer: ISSUER,
        audience: AUDIENCE,
        requiredClaims: ['exp', 'sub', 'sid'],
      });
      const { sub, sid, exp } = payload;
      if (!isUuid(sub) || !isUuid(sid) || exp === undefined) throw invalidToken();
      return { userId: sub, sessionId: sid, expiresAt: exp * 1000 };
    } catch (error) {
      throw error instanceof errors.JWTExpired ? expiredToken() : invalidToken();
    }
  }
}

const isUuid = (value: unknown): value is string =>
  typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value);

const refused = (message: string) =>
  new AppError(401, 'access.invalid_token', message, {
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
  });

/** One answer for malformed, foreign, revoked and unknown: it helps nobody to try. */
export const invalidToken = () =>
  refused('This token, key or ticket is not valid (any more). Sign in again or use another one.');

export const expiredToken = () =>
  refused('The access token has expired. Get a new one with the refresh token.');
