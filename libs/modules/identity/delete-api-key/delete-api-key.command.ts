import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Audit } from '#platform/audit/audit.js';
import { notFound } from '#platform/errors/app-error.js';
import { Database } from '#platform/persistence/database.js';
import { KnownCallers } from '../authenticate/known-callers.js';

/** Revokes a key, at once and for good. */
export class DeleteApiKeyCommand extends Command<void> {
  constructor(readonly id: string) {
    super();
  }
}

export const noSuchKey = () => notFound('API key', 'identity.api_key_not_found');

@CommandHandler(DeleteApiKeyCommand)
export class DeleteApiKeyHandler implements ICommandHandler<DeleteApiKeyCommand> {
  constructor(
    private readonly db: Database,
    private readonly known: KnownCallers,
    private readonly audit: Audit,
  ) {}

  async execute({ id }: DeleteApiKeyCommand): Promise<void> {
    await this.db.tx(async () => {
      const gone = await this.db.first<{ name: string; role: string }>(
        'delete from identity.api_key where id = $1 returning name, role',
        [id],
      );
      if (!gone) throw noSuchKey();
      this.known.announceChange();
      await this.audit.record('identity.api_key_deleted', `api_key:${id}`, gone);
    });
  }
}
