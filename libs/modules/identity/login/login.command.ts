import { ApiProperty } from '@nestjs/swagger';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsString, MaxLength, MinLength } from 'class-validator';
import { Audit } from '#platform/audit/audit.js';
import { Database } from '#platform/persistence/database.js';
import { MAX_PASSWORD } from '../passwords.js';
import { Sessions } from '../sessions.js';
import { Credentials } from '../sign-in/credentials.js';
import { EmailAddress } from '../text-rules.js';
import type { Tokens } from '../tokens.dto.js';

/** Sign in with an e-mail address and a password. */
export class LoginCommand extends Command<Tokens> {
  @ApiProperty({ example: 'ada@example.com', format: 'email' })
  @EmailAddress()
  email: string;

  @ApiProperty({ example: '<your password>', format: 'password' })
  @IsString()
  @MinLength(1)
  @MaxLength(MAX_PASSWORD)
  password: string;
}

@CommandHandler(LoginCommand)
export class LoginHandler implements ICommandHandler<LoginCommand> {
  constructor(
    private readonly db: Database,
    private readonly credentials: Credentials,
    private readonly sessions: Sessions,
    private readonly audit: Audit,
  ) {}

  async execute({ email, password }: LoginCommand): Promise<Tokens> {
    const user = await this.credentials.check(email, password);
    return this.db.tx(async () => {
      const { sessionId, tokens } = await this.sessions.openFamily(user.id);
      await this.audit.record('identity.signed_in', `user:${user.id}`, {
        kind: 'token',
        session_id: sessionId,
      });
      return tokens;
    });
  }
}
