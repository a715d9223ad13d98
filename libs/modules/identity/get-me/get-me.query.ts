import { ApiProperty } from '@nestjs/swagger';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { Database } from '#platform/persistence/database.js';
import type { Caller } from '../authenticate/caller.js';

/** Who the caller is. */
export class Me {
  @ApiProperty({ enum: ['user', 'api_key'], example: 'user' })
  kind: 'user' | 'api_key';

  @ApiProperty({ example: '0f4b8a52-6a3e-4a53-9a43-0a3f1f6f8f10', format: 'uuid' })
  id: string;

  @ApiProperty({ example: 'Ada Lovelace' })
  name: string;

  /** Null for an API key. */
  @ApiProperty({ type: String, nullable: true, example: 'ada@example.com' })
  email: string | null;

  @ApiProperty({ enum: ['viewer', 'operator', 'admin', 'terminal'], example: 'operator' })
  role: string;

  /** How the caller proved who it is. */
  @ApiProperty({ enum: ['bearer', 'api_key', 'cookie'], example: 'bearer' })
  via: string;
}

export class GetMeQuery extends Query<Me> {
  constructor(readonly caller: Caller) {
    super();
  }
}

@QueryHandler(GetMeQuery)
export class GetMeHandler implements IQueryHandler<GetMeQuery> {
  constructor(private readonly db: Database) {}

  async execute({ caller }: GetMeQuery): Promise<Me> {
    const { actor, role, via } = caller;
    if (actor.kind === 'api_key')
      return { kind: actor.kind, id: actor.id, name: actor.label, email: null, role, via };
    const user = await this.db.first<{ name: string }>('select name from identity."user" where id = $1', [
      actor.id,
    ]);
    return { kind: actor.kind, id: actor.id, name: user?.name ?? actor.label, email: actor.label, role, via };
  }
}
