import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { IsIn, IsOptional } from 'class-validator';
import { decodeCursor, encodeCursor, keysetPage, refusingForgedCursor } from '#platform/http/keyset.js';
import { KeysetQuery } from '#platform/http/keyset.query.js';
import { PageInfo } from '#platform/http/page-info.dto.js';
import { SessionStore } from '#platform/sync/session-store.js';
import { SESSION_KINDS, SESSION_STATES } from '#platform/sync/session.js';

const LIST = 'sessions';

export class ListSessionsQuery extends KeysetQuery {
  @IsOptional() @IsIn(SESSION_STATES) state?: string;
  @IsOptional() @IsIn(SESSION_KINDS) kind?: string;
}

/** A piece of background work. */
export class SessionBody {
  /** @example 6f2c7f0e-3a52-4a53-9f0e-1d1c2f0b7a11 */
  session_id: string;
  connection_id: string | null;
  /** @example import */
  kind: string;
  /** @example api */
  trigger: string;
  /** @example admin@instep.local */
  requested_by: string;
  /** @example ["invoices"] */
  entities: string[];
  /** @example completed */
  state: string;
  /**
   * Fraction 0..1, null while unknown; never falls.
   * @example 1
   */
  progress: number | null;
  /** @example 240 */
  total: number | null;
  processed: number;
  created: number;
  updated: number;
  unchanged: number;
  skipped: number;
  failed: number;
  conflicts: number;
  api_calls: number;
  rate_limit_hits: number;
  /** @example Done */
  message: string;
  error: string | null;
  resume_after: string | null;
  /** @example 2026-01-02T10:30:00.000Z */
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
}

export class SessionPage {
  data: SessionBody[];
  page: PageInfo;
}

@QueryHandler(ListSessionsQuery)
export class ListSessionsHandler implements IQueryHandler<ListSessionsQuery, SessionPage> {
  constructor(private readonly sessions: SessionStore) {}

  async execute({ limit, cursor, state, kind }: ListSessionsQuery): Promise<SessionPage> {
    const [createdAt, id] = cursor === undefined ? [] : decodeCursor(LIST, cursor, 2);
    const filter = {
      ...(state && { state }),
      ...(kind && { kind }),
      ...(createdAt && id && { after: { createdAt, id } }),
    };
    const rows = await refusingForgedCursor(cursor, () => this.sessions.list(filter, limit + 1));
    const page = keysetPage(rows, limit, (last) => encodeCursor(LIST, last.position, last.session_id));
    return { ...page, data: page.data.map(({ position: _position, ...session }) => session) };
  }
}
