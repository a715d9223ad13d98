import { ApiProperty } from '@nestjs/swagger';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsBoolean, IsIn } from 'class-validator';
import { Audit } from '#platform/audit/audit.js';
import { preconditionFailed } from '#platform/http/if-match.js';
import { Database } from '#platform/persistence/database.js';
import { KnownCallers } from '../authenticate/known-callers.js';
import { User } from '../entities/user.entity.js';
import { noSuchUser } from '../get-user/get-user.query.js';
import { IfGiven } from '#platform/http/if-given.js';
import { requireAnotherAdmin } from '../last-admin.js';
import { Passwords } from '../passwords.js';
import { Sessions } from '../sessions.js';
import { NewPassword, OneLine } from '../text-rules.js';
import { USER_COLUMNS, UserRow } from '../user.dto.js';

/** What changes; what is left out stays. */
export class UserChanges {
  @ApiProperty({ required: false, example: 'Ada King', maxLength: 200 })
  @IfGiven()
  @OneLine(200)
  name?: string;

  /** Works at once, for sign-ins under way as well. */
  @ApiProperty({ required: false, enum: ['viewer', 'operator', 'admin'], example: 'admin' })
  @IfGiven()
  @IsIn(['viewer', 'operator', 'admin'])
  role?: 'viewer' | 'operator' | 'admin';

  /** True signs the person out everywhere and cuts open streams. */
  @ApiProperty({ required: false, example: false })
  @IfGiven()
  @IsBoolean()
  disabled?: boolean;

  /** At least 10 characters. Signs the person out everywhere. */
  @ApiProperty({
    required: false,
    example: '<a new password>',
    format: 'password',
    minLength: 10,
    maxLength: 200,
  })
  @IfGiven()
  @NewPassword()
  password?: string;
}

export class UpdateUserCommand extends Command<UserRow> {
  /** @param expectedVersion of `If-Match`; null when the caller does not mind */
  constructor(
    readonly id: string,
    readonly changes: UserChanges,
    readonly expectedVersion: string | null,
  ) {
    super();
  }
}

@CommandHandler(UpdateUserCommand)
export class UpdateUserHandler implements ICommandHandler<UpdateUserCommand> {
  constructor(
    private readonly db: Database,
    private readonly passwords: Passwords,
    private readonly sessions: Sessions,
    private readonly known: KnownCallers,
    private readonly audit: Audit,
  ) {}

  async execute({ id, changes, expectedVersion }: UpdateUserCommand): Promise<UserRow> {
    const passwordHash =
      changes.password === undefined ? undefined : await this.passwords.hash(changes.password);
    return this.db.tx(async () => {
      const keepsAdmin =
        changes.disabled !== true && (changes.role === undefined || changes.role === 'admin');
      if (!keepsAdmin) await requireAnotherAdmin(this.db, id);
      const user = await this.db.manager.findOne(User, {
        where: { id },
        lock: { mode: 'pessimistic_write' },
      });
      if (!user) throw noSuchUser();
      if (expectedVersion !== null && expectedVersion !== String(user.version)) throw preconditionFailed();

      const next = {
        name: changes.name ?? user.name,
        role: changes.role ?? user.role,
        disabled: changes.disabled ?? user.disabled,
      };
      const changed = differences(user, next);
      if (passwordHash !== undefined) changed.password = 'set';
      if (Object.keys(changed).length > 0) {
        const set = { ...next, ...(passwordHash !== undefined && { passwordHash }) };
        await this.db.manager.update(
          User,
          { id },
          { ...set, version: user.version + 1, updatedAt: () => 'clock_timestamp()' },
        );
        await this.audit.record('identity.user_changed', `user:${id}`, changed);
        if (next.disabled || passwordHash !== undefined) await this.sessions.revokeAll(id);
        else this.known.announceChange();
      }
      return this.read(id);
    });
  }

  private async read(id: string): Promise<UserRow> {
    const row = await this.db.first<UserRow>(`select ${USER_COLUMNS} from identity."user" where id = $1`, [
      id,
    ]);
    if (!row) throw noSuchUser();
    return row;
  }
}

type Changeable = Pick<User, 'name' | 'role' | 'disabled'>;

/** Field to before and after, for the audit log. */
function differences(before: Changeable, after: Changeable): Record<string, unknown> {
  const fields = ['name', 'role', 'disabled'] as const;
  return Object.fromEntries(
    fields.filter((f) => before[f] !== after[f]).map((f) => [f, { from: before[f], to: after[f] }]),
  );
}
