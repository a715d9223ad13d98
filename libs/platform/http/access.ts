import { SetMetadata, applyDecorators } from '@nestjs/common';
import { ApiBearerAuth, ApiCookieAuth, ApiExtension, ApiSecurity } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { Config } from '../config/config.js';
import type { Actor } from '../observability/request-context.js';

/** `viewer < operator < admin`; `terminal` stands apart and reaches only what names it. */
export type Role = 'viewer' | 'operator' | 'admin' | 'terminal';

export interface Identity {
  actor: Actor;
  role: Role;
  /** Set for a terminal's key. */
  terminalId: string | null;
  /** Writes with a cookie must also bring the CSRF token. */
  via: 'bearer' | 'api_key' | 'cookie' | 'ticket';
}

/** Finds out who sends a request. The identity module provides it; the guard asks it on every route. */
export abstract class Authenticator {
  /**
   * @returns null when the request carries no identity at all
   * @throws AppError 401 when it carries one that is not valid (expired, revoked, malformed)
   */
  abstract authenticate(request: FastifyRequest): Promise<Identity | null>;
}

export const ACCESS = Symbol('access');
export type Access =
  | { public: true }
  | { public: false; roles: readonly Role[]; page: boolean; openIf: ((config: Config) => boolean) | null };

const LADDER: readonly Role[] = ['viewer', 'operator', 'admin'];

/** Roles that reach a route which asks for `minimum`, and those named beside it. */
const atLeast = (minimum: Role, also: Role[]): Role[] =>
  minimum === 'terminal' ? ['terminal', ...also] : [...LADDER.slice(LADDER.indexOf(minimum)), ...also];

/**
 * Opens a route to a role and those above it. A route without this or {@link Public} stops the boot.
 * @param options.page an HTML page: without identity it redirects to /sign-in instead of answering 401
 * @param options.openIf a setting of this installation that opens the route to everyone
 */
export function Roles(
  minimum: Role,
  options: { also?: Role[]; page?: boolean; openIf?: (config: Config) => boolean } = {},
) {
  const roles = atLeast(minimum, options.also ?? []);
  return applyDecorators(
    SetMetadata(ACCESS, {
      public: false,
      roles,
      page: options.page ?? false,
      openIf: options.openIf ?? null,
    } satisfies Access),
    ApiExtension('x-roles', roles),
    ApiBearerAuth('bearer'),
    ApiSecurity('api_key'),
    ApiCookieAuth('session'),
  );
}

/** Opens a route to everyone. Only for the public list of DESIGN 6; the architecture test compares. */
export function Public() {
  return applyDecorators(
    SetMetadata(ACCESS, { public: true } satisfies Access),
    ApiExtension('x-roles', ['public']),
  );
}

/** The identity that the guard found; null where a setting opened the route and the caller brought none. */
export const optionalIdentityOf = (request: FastifyRequest): Identity | null =>
  (request as FastifyRequest & { identity?: Identity }).identity ?? null;

/** The identity that the guard found. Only on routes that are not public. */
export function identityOf(request: FastifyRequest): Identity {
  const identity = optionalIdentityOf(request);
  if (!identity) throw new Error('no identity: is the route public?');
  return identity;
}
