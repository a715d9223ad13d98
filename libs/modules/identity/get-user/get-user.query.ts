import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { notFound } from '#platform/errors/app-error.js';
import { Database } from '#platform/persistence/database.js';
import { USER_COLUMNS, UserRow } from '../user.dto.js';

export class GetUserQuery extends Query<UserRow> {
  constructor(readonly id: string) {
    super();
  }
}

@QueryHandler(GetUserQuery)
export class GetUserHandler implements IQueryHandler<GetUserQuery> {
  constructor(private readonly db: Database) {}

  async execute({ id }: GetUserQuery): Promise<UserRow> {
    const row = await this.db.first<UserRow>(`select ${USER_COLUMNS} from identity."user" where id = $1`, [
      id,
    ]);
    if (!row) throw noSuchUser();
    return row;
  }
}

export const noSuchUser = () => notFound('user', 'identity.user_not_found');
