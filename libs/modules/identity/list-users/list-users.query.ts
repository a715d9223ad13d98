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
import { USER_COLUMNS, UserRow } from '../user.dto.js';

/** Everyone who may sign in, newest first. */
export class ListUsersQuery extends KeysetQuery {}

export class UserPage implements KeysetPage<UserRow> {
  @ApiProperty({ type: [UserRow] })
  data: UserRow[];

  @ApiProperty({ type: PagePosition })
  page: PagePosition;
}

@QueryHandler(ListUsersQuery)
export class ListUsersHandler implements IQueryHandler<ListUsersQuery, UserPage> {
  constructor(private readonly db: Database) {}

  async execute({ limit, cursor }: ListUsersQuery): Promise<UserPage> {
    const after = cursor === undefined ? [null, null] : decodeCursor('users', cursor, 2);
    const rows = await refusingForgedCursor(cursor, () =>
      this.db.query<UserRow & { position: string }>(
        `select ${USER_COLUMNS}, "user".created_at::text as position from identity."user"
         where $1::timestamptz is null or ("user".created_at, id) < ($1::timestamptz, $2::uuid)
         order by "user".created_at desc, id desc limit $3`,
        [...after, limit + 1],
      ),
    );
    const page = keysetPage(rows, limit, (last) => encodeCursor('users', last.position, last.id));
    return { ...page, data: page.data.map(({ position: _, ...row }) => row) };
  }
}
