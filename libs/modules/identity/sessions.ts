import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { currentContext } from '#platform/observability/request-context.js';
import { Database } from '#platform/persistence/database.js';
import { AccessTokens, ACCESS_TOKEN_SECONDS } from './authenticate/access-tokens.js';
import { KnownCallers } from './authenticate/known-callers.js';
import { hashOf, randomSecret } from './secrets.js';
import type { Tokens } from './tokens.dto.js';

/** Seconds after which a browser must sign in again however busy it was. */
export const COOKIE_MAX_SECONDS = 7 * 24 * 3600;

const LIFE = {
  token: { idle: '7 days', absolute: '30 days' },
  cookie: { idle: '12 hours', absolute: `${COOKIE_MAX_SECONDS} seconds` },
};

export const REFRESH_PREFIX = 'insr_';

/** Sign-ins: begun, rotated and ended. Call it inside a transaction; it audits nothing. */
@Injectable()
export class Sessions {
  constructor(
    private readonly db: Database,
    private readonly accessTokens: AccessTokens,
    private readonly known: KnownCallers,
  ) {}

  async openFamily(userId: string): Promise<{ sessionId: string; tokens: Tokens }> {
    const sessionId = await this.open(userId, 'token', null);
    return { sessionId, tokens: await this.nextTokens(userId, sessionId) };
  }

  async openCookie(userId: string): Promise<{ sessionId: string; secret: string }> {
    const secret = randomSecret();
    return { sessionId: await this.open(userId, 'cookie', hashOf(secret)), secret };
  }

  /** A new access token and the one refresh token that is good from now on. */
  async nextTokens(userId: string, sessionId: string): Promise<Tokens> {
    const refreshToken = randomSecret(REFRESH_PREFIX);
    await this.db.execute(
      'insert into identity.refresh_token (hash, session_id, created_at) values ($1, $2, platform.now())',
      [hashOf(refreshToken), sessionId],
    );
    return {
      access_token: await this.accessTokens.issue(userId, sessionId),
      refresh_token: refreshToken,
      token_type: 'Bearer',
      expires_in: ACCESS_TOKEN_SECONDS,
    };
  }

  /** @returns false when it had ended before */
  async revoke(sessionId: string): Promise<boolean> {
    this.known.announceChange();
    const ended = await this.db.execute(
      'update identity.session set revoked_at = platform.now() where id = $1 and revoked_at is null',
      [sessionId],
    );
    return ended > 0;
  }

  /** Ends every sign-in of a person, but for the one at hand. */
  async revokeAll(userId: string, except: string | null = null): Promise<void> {
    this.known.announceChange();
    await this.db.execute(
      `update identity.session set revoked_at = platform.now()
       where user_id = $1 and revoked_at is null and id is distinct from $2::uuid`,
      [userId, except],
    );
  }

  private async open(userId: string, kind: keyof typeof LIFE, secretHash: Buffer | null): Promise<string> {
    await this.prune();
    const id = randomUUID();
    await this.db.execute(
      `insert into identity.session (id, user_id, kind, secret_hash, address, created_at, last_used_at, idle_for, expires_at)
       select $1, $2, $3, $4, $5, now, now, $6::interval, now + $7::interval from (select platform.now() as now) clock`,
      [id, userId, kind, secretHash, currentContext().address, LIFE[kind].idle, LIFE[kind].absolute],
    );
    return id;
  }

  /** Every sign-in takes some old ones away, so that none pile up. Ended ones say for a month where people sign in from. */
  private async prune(): Promise<void> {
    await this.db.execute(
      `delete from identity.session where id = any(array(select id from identity.session
         where expires_at < platform.now() - interval '30 days' order by expires_at limit 20 for update skip locked))`,
    );
    await this.db.execute(
      `delete from identity.stream_ticket where hash = any(array(select hash from identity.stream_ticket
         where expires_at < platform.now() order by expires_at limit 50 for update skip locked))`,
    );
  }
}
