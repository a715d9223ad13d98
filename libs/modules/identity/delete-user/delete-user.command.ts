import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Audit } from '#platform/audit/audit.js';
import { Database } from '#platform/persistence/database.js';
import { KnownCallers } from '../authenticate/known-callers.js';
import { noSuchUser } from '../get-user/get-user.query.js';
import { requireAnotherAdmin } from '../last-admin.js';

/** Removes a person with every sign-in and ticket; the audit log keeps what they did. */
export class DeleteUserCommand extends Command<void> {
  constructor(readonly id: string) {
    super();
  }
}

@CommandHandler(DeleteUserCommand)
export class DeleteUserHandler implements ICommandHandler<DeleteUserCommand> {
  constructor(
    private readonly db: Database,
    private readonly known: KnownCallers,
    private readonly audit: Audit,
  ) {}

  async execute({ id }: DeleteUserCommand): Promise<void> {
    await this.db.tx(async () => {
      await requireAnotherAdmin(this.db, id);
      const gone = await this.db.first<{ email: string; role: string }>(
        'delete from identity."user" where id = $1 returning email, role',
        [id],
      );
      if (!gone) throw noSuchUser();
      this.known.announceChange();
      await this.audit.record('identity.user_deleted', `user:${id}`, gone);
    });
  }
}
