import { ApiProperty } from '@nestjs/swagger';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsString, MaxLength } from 'class-validator';
import { Audit } from '#platform/audit/audit.js';
import { AppError } from '#platform/errors/app-error.js';
import { actAs } from '#platform/observability/request-context.js';
import { Database } from '#platform/persistence/database.js';
import { hashOf } from '../secrets.js';
import { Sessions } from '../sessions.js';
import type { Tokens } from '../tokens.dto.js';

/** Exchange a refresh token for the next pair. */
export class RefreshCommand extends Command<Tokens> {
  @ApiProperty({ example: 'insr_<43 characters>' })
  @IsString()
  @MaxLength(200)
  refresh_token: string;
}

interface Family {
  session_id: string;
  user_id: string;
  email: string;
  live: boolean;
}

/**
 * A refresh token works once. One that comes back was copied, by a thief or from one, and which of the two is
 * asking cannot be told: the whole family ends. There is no period of grace, since within it a thief is a guest;
 * the price is that a client whose answer was lost signs in again. Browsers do not pay it: their cookie does not
 * rotate, so tabs never race. Of two refreshes with one token at the same moment, one wins and ends with the family.
 */
@CommandHandler(RefreshCommand)
export class RefreshHandler implements ICommandHandler<RefreshCommand> {
  constructor(
    private readonly db: Database,
    private readonly sessions: Sessions,
    private readonly audit: Audit,
  ) {}

  async execute({ refresh_token }: RefreshCommand): Promise<Tokens> {
    const hash = hashOf(refresh_token);
    // The end of a family must be kept though the caller gets an error: so the transaction answers, it does not throw.
    const tokens = await this.db.tx(() => this.rotate(hash));
    if (tokens) return tokens;
    throw new AppError(
      401,
      'identity.invalid_refresh_token',
      'This refresh token is not valid (any more). Sign in again.',
    );
  }

  private async rotate(hash: Buffer): Promise<Tokens | null> {
    const taken = await this.db.execute(
      'update identity.refresh_token set used_at = platform.now() where hash = $1 and used_at is null',
      [hash],
    );
    const family = await this.family(hash);
    if (!family) return null;
    if (taken === 0) return this.endReused(family);
    if (!family.live) return null;
    actAs({ kind: 'user', id: family.user_id, label: family.email });
    await this.db.execute('update identity.session set last_used_at = platform.now() where id = $1', [
      family.session_id,
    ]);
    await this.audit.record('identity.token_refreshed', `user:${family.user_id}`, {
      session_id: family.session_id,
    });
    return this.sessions.nextTokens(family.user_id, family.session_id);
  }

  private family(hash: Buffer): Promise<Family | undefined> {
    return this.db.first<Family>(
      `select s.id as session_id, u.id as user_id, u.email,
         s.revoked_at is null and not u.disabled and s.expires_at > now and s.last_used_at + s.idle_for > now as live
       from (select platform.now() as now) clock, identity.refresh_token t
         join identity.session s on s.id = t.session_id join identity."user" u on u.id = s.user_id
       where t.hash = $1 for update of s`,
      [hash],
    );
  }

  private async endReused(family: Family): Promise<null> {
    if (await this.sessions.revoke(family.session_id)) {
      await this.audit.record('identity.refresh_token_reused', `user:${family.user_id}`, {
        session_id: family.session_id,
      });
    }
    return null;
  }
}
