import { ApiProperty } from '@nestjs/swagger';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsIn } from 'class-validator';
import { Audit } from '#platform/audit/audit.js';
import { conflict } from '#platform/errors/app-error.js';
import { Database } from '#platform/persistence/database.js';
import { IfGiven } from '#platform/http/if-given.js';
import { Passwords } from '../passwords.js';
import { EmailAddress, NewPassword, OneLine } from '../text-rules.js';
import { USER_COLUMNS, UserRow } from '../user.dto.js';

/** A new person. */
export class CreateUserCommand extends Command<UserRow> {
  @ApiProperty({ example: 'ada@example.com', format: 'email' })
  @EmailAddress()
  email: string;

  /** Default: the e-mail address. */
  @ApiProperty({ required: false, example: 'Ada Lovelace', maxLength: 200 })
  @IfGiven()
  @OneLine(200)
  name?: string;

  @ApiProperty({ enum: ['viewer', 'operator', 'admin'], example: 'operator' })
  @IsIn(['viewer', 'operator', 'admin'])
  role: 'viewer' | 'operator' | 'admin';

  /** At least 10 characters. */
  @ApiProperty({ example: '<a password to hand over>', format: 'password', minLength: 10, maxLength: 200 })
  @NewPassword()
  password: string;
}

@CommandHandler(CreateUserCommand)
export class CreateUserHandler implements ICommandHandler<CreateUserCommand> {
  constructor(
    private readonly db: Database,
    private readonly passwords: Passwords,
    private readonly audit: Audit,
  ) {}

  async execute({ email, name, role, password }: CreateUserCommand): Promise<UserRow> {
    const passwordHash = await this.passwords.hash(password);
    return this.db.tx(async () => {
      const row = await this.db.first<UserRow>(
        `insert into identity."user" (email, name, role, password_hash) values ($1, $2, $3, $4)
         on conflict (email) do nothing returning ${USER_COLUMNS}`,
        [email, name ?? email, role, passwordHash],
      );
      if (!row)
        throw conflict('identity.email_taken', 'There is a user with this e-mail address', {
          email: ['is taken'],
        });
      await this.audit.record('identity.user_created', `user:${row.id}`, { email, role });
      return row;
    });
  }
}
