import { ApiProperty } from '@nestjs/swagger';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import {
  type KeysetPage,
  decodeCursor,
  encodeCursor,
  keysetPage,
  refusingForgedCursor,
} from '#platform/http/keyset.js';
import { KeysetQuery } from '#platform/http/keyset.query.js';
import { Database } from '#platform/persistence/database.js';

import { PagePosition } from '../page-position.dto.js';

/** The keys that work, newest first; the keys themselves are not kept. */
export class ListApiKeysQuery extends KeysetQuery {}

export class ApiKeyRow {
  @ApiProperty({ example: '7d1a4c1e-3f6b-4a53-8f43-0a3f1f6f8f10', format: 'uuid' })
  id: string;

  @ApiProperty({ example: 'Till by the door' })
  name: string;

  @ApiProperty({ enum: ['viewer', 'operator', 'admin', 'terminal'], example: 'terminal' })
  role: string;

  /** The one terminal that the key is for; null for other roles. */
  @ApiProperty({ type: String, nullable: true, example: 'POS-001' })
  terminal_id: string | null;

  /** How the key begins, to tell it from others. */
  @ApiProperty({ example: 'ins_Zk3v…' })
  hint: string;

  /** Who made it. */
  @ApiProperty({ example: 'ada@example.com' })
  created_by: string;

  @ApiProperty({ example: '2026-01-02T10:30:00.000Z', format: 'date-time' })
  created_at: string;

  /** To about five minutes; null when it was never used. */
  @ApiProperty({ type: String, nullable: true, example: '2026-01-02T10:30:00.000Z', format: 'date-time' })
  last_used_at: string | null;
}

export class ApiKeyPage implements KeysetPage<ApiKeyRow> {
  @ApiProperty({ type: [ApiKeyRow] })
  data: ApiKeyRow[];

  @ApiProperty({ type: PagePosition })
  page: PagePosition;
}

@QueryHandler(ListApiKeysQuery)
export class ListApiKeysHandler implements IQueryHandler<ListApiKeysQuery, ApiKeyPage> {
  constructor(private readonly db: Database) {}

  async execute({ limit, cursor }: ListApiKeysQuery): Promise<ApiKeyPage> {
    const after = cursor === undefined ? [null, null] : decodeCursor('api_keys', cursor, 2);
    const rows = await refusingForgedCursor(cursor, () =>
      this.db.query<ApiKeyRow & { position: string }>(
        `select id, name, role, terminal_id, hint, created_by, platform.iso(k.created_at) as created_at,
           platform.iso(last_used_at) as last_used_at, k.created_at::text as position
         from identity.api_key k
         where $1::timestamptz is null or (k.created_at, id) < ($1::timestamptz, $2::uuid)
         order by k.created_at desc, id desc limit $3`,
        [...after, limit + 1],
      ),
    );
    const page = keysetPage(rows, limit, (last) => encodeCursor('api_keys', last.position, last.id));
    return { ...page, data: page.data.map(({ position: _, ...row }) => row) };
  }
}
