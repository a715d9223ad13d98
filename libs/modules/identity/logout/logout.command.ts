import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Audit } from '#platform/audit/audit.js';
import { conflict } from '#platform/errors/app-error.js';
import { Database } from '#platform/persistence/database.js';
import type { Caller } from '../authenticate/caller.js';
import { Sessions } from '../sessions.js';

/** End the sign-in that the caller came with: its tokens, its cookie and the stream tickets made from it. */
export class LogoutCommand extends Command<void> {
  constructor(readonly caller: Caller) {
    super();
  }
}

@CommandHandler(LogoutCommand)
export class LogoutHandler implements ICommandHandler<LogoutCommand> {
  constructor(
    private readonly db: Database,
    private readonly sessions: Sessions,
    private readonly audit: Audit,
  ) {}

  async execute({ caller }: LogoutCommand): Promise<void> {
    const { sessionId, actor } = caller;
    if (sessionId === null)
      throw conflict('identity.no_session', 'An API key has no sign-in to end; delete the key instead');
    await this.db.tx(async () => {
      if (await this.sessions.revoke(sessionId)) {
        await this.audit.record('identity.signed_out', `user:${actor.id}`, { session_id: sessionId });
      }
    });
  }
}
