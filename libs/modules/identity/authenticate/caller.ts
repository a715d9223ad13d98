import type { FastifyRequest } from 'fastify';
import { type Identity, identityOf } from '#platform/http/access.js';

/** An identity as this module knows it. Shared between requests, so it is frozen. */
export interface Caller extends Identity {
  readonly actor: { readonly kind: 'user' | 'api_key'; readonly id: string; readonly label: string };
  /** The sign-in behind it; null for an API key. */
  readonly sessionId: string | null;
}

/** The caller that the guard found. Every identity comes from this module's authenticator, so it is one. */
export const callerOf = (request: FastifyRequest): Caller => identityOf(request) as Caller;
