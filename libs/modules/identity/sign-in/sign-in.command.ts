import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Audit } from '#platform/audit/audit.js';
import { Database } from '#platform/persistence/database.js';
import { Callers } from '../authenticate/callers.js';
import { Sessions } from '../sessions.js';
import { Credentials } from './credentials.js';

/** Sign in a browser. */
export class SignInCommand extends Command<{ secret: string }> {
  /**
   * @param email in lower case
   * @param replaced the cookie that the browser had, whose session ends
   */
  constructor(
    readonly email: string,
    readonly password: string,
    readonly replaced: string | undefined,
  ) {
    super();
  }
}

@CommandHandler(SignInCommand)
export class SignInHandler implements ICommandHandler<SignInCommand> {
  constructor(
    private readonly db: Database,
    private readonly credentials: Credentials,
    private readonly sessions: Sessions,
    private readonly callers: Callers,
    private readonly audit: Audit,
  ) {}

  async execute({ email, password, replaced }: SignInCommand): Promise<{ secret: string }> {
    const user = await this.credentials.check(email, password);
    return this.db.tx(async () => {
      const old = replaced === undefined ? null : await this.callers.byCookie(replaced);
      if (old?.sessionId) await this.sessions.revoke(old.sessionId);
      const { sessionId, secret } = await this.sessions.openCookie(user.id);
      await this.audit.record('identity.signed_in', `user:${user.id}`, {
        kind: 'cookie',
        session_id: sessionId,
      });
      return { secret };
    });
  }
}
