import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Authenticator } from '#platform/http/access.js';
import { looksLikeSecret } from '../secrets.js';
import { AccessTokens, invalidToken } from './access-tokens.js';
import type { Caller } from './caller.js';
import { Callers } from './callers.js';
import { Cookies } from './cookies.js';
import { KnownCallers, type Proof } from './known-callers.js';

export const KEY_PREFIX = 'ins_';
export const TICKET_PREFIX = 'inst_';

const BEARER = /^Bearer +([^\s]+)$/i;

/**
 * Tells who sends a request. What it says explicitly (header, key, ticket) must be right; a cookie, which the
 * browser sends by itself, may be stale: then the request has no identity, and pages lead to /sign-in.
 */
@Injectable()
export class RequestAuthenticator extends Authenticator {
  constructor(
    private readonly tokens: AccessTokens,
    private readonly callers: Callers,
    private readonly known: KnownCallers,
    private readonly cookies: Cookies,
  ) {
    super();
  }

  async authenticate(request: FastifyRequest): Promise<Caller | null> {
    const { authorization, 'x-api-key': key } = request.headers;
    if (authorization !== undefined) return this.bearer(authorization);
    if (key !== undefined) return this.key(key);
    const ticket = (request.query as Record<string, unknown> | undefined)?.ticket;
    if (ticket !== undefined) return this.ticket(request, ticket);
    const secret = this.cookies.secretOf(request);
    return secret === undefined ? null : this.cookie(request, secret);
  }

  private bearer(authorization: string): Promise<Caller> {
    const token = BEARER.exec(authorization)?.[1];
    if (token === undefined) throw invalidToken();
    return token.startsWith(KEY_PREFIX) ? this.key(token) : this.found(token, () => this.proveToken(token));
  }

  private key(key: string | string[]): Promise<Caller> {
    if (typeof key !== 'string' || !looksLikeSecret(key, KEY_PREFIX)) throw invalidToken();
    return this.found(key, () => ({ expiresAt: Infinity, load: () => this.callers.byKey(key) }));
  }

  private async ticket(request: FastifyRequest, ticket: unknown): Promise<Caller> {
    if (typeof ticket !== 'string' || !looksLikeSecret(ticket, TICKET_PREFIX) || request.method !== 'GET')
      throw invalidToken();
    const caller = await this.callers.byTicket(ticket, pathOf(request.url));
    if (!caller) throw invalidToken();
    return caller;
  }

  private async cookie(request: FastifyRequest, secret: string): Promise<Caller | null> {
    if (!looksLikeSecret(secret)) return null;
    const load = () => this.callers.byCookie(secret);
    const caller = await this.known.find(secret, () => ({ expiresAt: Infinity, load }));
    if (caller) this.cookies.requireCsrf(request, secret);
    return caller;
  }

  private async proveToken(token: string): Promise<Proof> {
    const { userId, sessionId, expiresAt } = await this.tokens.verify(token);
    const load = async () => {
      const caller = await this.callers.bySession(sessionId, 'bearer');
      return caller?.actor.id === userId ? caller : null;
    };
    return { expiresAt, load };
  }

  private async found(credential: string, prove: () => Proof | Promise<Proof>): Promise<Caller> {
    const caller = await this.known.find(credential, prove);
    if (!caller) throw invalidToken();
    return caller;
  }
}

/** A URL's path as tickets compare it: without query and trailing slashes. */
export const pathOf = (url: string): string => (url.split(/[?#]/, 1)[0] ?? '').replace(/\/+$/, '');
