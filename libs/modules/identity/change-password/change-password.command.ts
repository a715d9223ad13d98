import { ApiProperty } from '@nestjs/swagger';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsString, MaxLength } from 'class-validator';
import { Audit } from '#platform/audit/audit.js';
import { AppError, conflict, invalid } from '#platform/errors/app-error.js';
import { Database } from '#platform/persistence/database.js';
import type { Caller } from '../authenticate/caller.js';
import { MAX_PASSWORD, Passwords } from '../passwords.js';
import { Sessions } from '../sessions.js';
import { Credentials } from '../sign-in/credentials.js';
import { NewPassword } from '../text-rules.js';

/** The old password and the new. */
export class PasswordChange {
  @ApiProperty({ example: '<your password>', format: 'password' })
  @IsString()
  @MaxLength(MAX_PASSWORD)
  current_password: string;

  /** At least 10 characters. */
  @ApiProperty({ example: '<your new password>', format: 'password', minLength: 10, maxLength: 200 })
  @NewPassword()
  new_password: string;
}

export class ChangePasswordCommand extends Command<void> {
  constructor(
    readonly caller: Caller,
    readonly change: PasswordChange,
  ) {
    super();
  }
}

/** Also ends every other sign-in of the person: whoever knew the old password is out. */
@CommandHandler(ChangePasswordCommand)
export class ChangePasswordHandler implements ICommandHandler<ChangePasswordCommand> {
  constructor(
    private readonly db: Database,
    private readonly credentials: Credentials,
    private readonly passwords: Passwords,
    private readonly sessions: Sessions,
    private readonly audit: Audit,
  ) {}

  async execute({ caller, change }: ChangePasswordCommand): Promise<void> {
    const { actor, sessionId } = caller;
    if (actor.kind !== 'user') throw conflict('identity.not_a_person', 'An API key has no password');
    await this.checkCurrent(actor.label, change.current_password);
    const passwordHash = await this.passwords.hash(change.new_password);
    await this.db.tx(async () => {
      await this.db.execute(
        `update identity."user" set password_hash = $2, version = version + 1, updated_at = clock_timestamp() where id = $1`,
        [actor.id, passwordHash],
      );
      await this.sessions.revokeAll(actor.id, sessionId);
      await this.audit.record('identity.password_changed', `user:${actor.id}`);
    });
  }

  /** The caller is signed in, so a wrong password is a wrong field and not a missing identity. */
  private async checkCurrent(email: string, password: string): Promise<void> {
    try {
      await this.credentials.check(email, password);
    } catch (error) {
      if (error instanceof AppError && error.status === 401) {
        throw invalid({ current_password: ['is wrong'] }, 'identity.wrong_password');
      }
      throw error;
    }
  }
}
