import { ApiProperty } from '@nestjs/swagger';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsIn } from 'class-validator';
import { Audit } from '#platform/audit/audit.js';
import { invalid } from '#platform/errors/app-error.js';
import type { Role } from '#platform/http/access.js';
import { currentContext } from '#platform/observability/request-context.js';
import { Database } from '#platform/persistence/database.js';
import { KEY_PREFIX } from '../authenticate/request-authenticator.js';
import { ApiKey } from '../entities/api-key.entity.js';
import { IfGiven } from '#platform/http/if-given.js';
import { hashOf, randomSecret } from '../secrets.js';
import { OneLine } from '../text-rules.js';

/** The one time that a key is seen. */
export class NewApiKey {
  @ApiProperty({ example: '7d1a4c1e-3f6b-4a53-8f43-0a3f1f6f8f10', format: 'uuid' })
  id: string;

  /** For `X-API-Key` or `Authorization: Bearer`. It cannot be shown again. */
  @ApiProperty({ example: 'ins_<43 characters>' })
  key: string;
}

/** A key for a machine. */
export class CreateApiKeyCommand extends Command<NewApiKey> {
  @ApiProperty({ example: 'Till by the door', maxLength: 100 })
  @OneLine(100)
  name: string;

  @ApiProperty({ enum: ['viewer', 'operator', 'admin', 'terminal'], example: 'terminal' })
  @IsIn(['viewer', 'operator', 'admin', 'terminal'])
  role: Role;

  /** Required for the role `terminal`, and only for it. */
  @ApiProperty({ required: false, example: 'POS-001', maxLength: 64 })
  @IfGiven()
  @OneLine(64)
  terminal_id?: string;
}

@CommandHandler(CreateApiKeyCommand)
export class CreateApiKeyHandler implements ICommandHandler<CreateApiKeyCommand> {
  constructor(
    private readonly db: Database,
    private readonly audit: Audit,
  ) {}

  async execute({ name, role, terminal_id }: CreateApiKeyCommand): Promise<NewApiKey> {
    if (role === 'terminal' && terminal_id === undefined)
      throw invalid({ terminal_id: ['is required for the role terminal'] });
    if (role !== 'terminal' && terminal_id !== undefined)
      throw invalid({ terminal_id: ['goes with the role terminal only'] });
    const key = randomSecret(KEY_PREFIX);
    return this.db.tx(async () => {
      const row = this.db.manager.create(ApiKey, {
        name,
        role,
        terminalId: terminal_id ?? null,
        keyHash: hashOf(key),
        hint: `${key.slice(0, 8)}…`,
        createdBy: currentContext().actor.label,
        lastUsedAt: null,
      });
      const { id } = await this.db.manager.save(row);
      await this.audit.record('identity.api_key_created', `api_key:${id}`, { name, role, terminal_id });
      return { id, key };
    });
  }
}
