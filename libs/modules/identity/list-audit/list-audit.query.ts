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
import { IsRealDate } from '#platform/http/real-date.js';
import { Database } from '#platform/persistence/database.js';

import { IfGiven } from '#platform/http/if-given.js';
import { PagePosition } from '../page-position.dto.js';
import { OneLine } from '../text-rules.js';

/** The audit log, newest first. */
export class ListAuditQuery extends KeysetQuery {
  /** What happened, in full: `identity.user_created`. */
  @ApiProperty({ required: false, example: 'identity.user_created' })
  @IfGiven()
  @OneLine(200)
  action?: string;

  /** Id of the user or API key that did it. */
  @ApiProperty({ required: false, example: '0f4b8a52-6a3e-4a53-9a43-0a3f1f6f8f10' })
  @IfGiven()
  @OneLine(200)
  actor_id?: string;

  /** What it happened to, `kind:id`. */
  @ApiProperty({ required: false, example: 'user:0f4b8a52-6a3e-4a53-9a43-0a3f1f6f8f10' })
  @IfGiven()
  @OneLine(300)
  subject?: string;

  /** From this day, in UTC. */
  @ApiProperty({ required: false, example: '2026-01-01', format: 'date' })
  @IfGiven()
  @IsRealDate()
  date_from?: string;

  /** To the end of this day, in UTC. */
  @ApiProperty({ required: false, example: '2026-01-31', format: 'date' })
  @IfGiven()
  @IsRealDate()
  date_to?: string;
}

/** One thing that somebody did. */
export class AuditRow {
  /** Grows with time. */
  @ApiProperty({ example: '1042' })
  id: string;

  @ApiProperty({ example: '2026-01-02T10:30:00.000Z', format: 'date-time' })
  at: string;

  @ApiProperty({ enum: ['user', 'api_key', 'system'], example: 'user' })
  actor_kind: string;

  /** Null for the system itself. */
  @ApiProperty({ type: String, nullable: true, example: '0f4b8a52-6a3e-4a53-9a43-0a3f1f6f8f10' })
  actor_id: string | null;

  /** The actor's name then; it stays when the actor is removed. */
  @ApiProperty({ example: 'ada@example.com' })
  actor_label: string;

  @ApiProperty({ example: 'identity.user_created' })
  action: string;

  @ApiProperty({ type: String, nullable: true, example: 'user:0f4b8a52-6a3e-4a53-9a43-0a3f1f6f8f10' })
  subject: string | null;

  /** The network address it came from; null for work in the background. */
  @ApiProperty({ type: String, nullable: true, example: '203.0.113.7' })
  address: string | null;

  @ApiProperty({ example: '5b2f5a0e-52b5-4f0a-8b3c-1f0b9a8d7c6e' })
  correlation_id: string;

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    example: { role: { from: 'viewer', to: 'admin' } },
  })
  details: Record<string, unknown>;
}

export class AuditPage implements KeysetPage<AuditRow> {
  @ApiProperty({ type: [AuditRow] })
  data: AuditRow[];

  @ApiProperty({ type: PagePosition })
  page: PagePosition;
}

@QueryHandler(ListAuditQuery)
export class ListAuditHandler implements IQueryHandler<ListAuditQuery, AuditPage> {
  constructor(private readonly db: Database) {}

  async execute(query: ListAuditQuery): Promise<AuditPage> {
    const { limit, cursor } = query;
    const parameters: unknown[] = [];
    const where: string[] = [];
    const filter = (condition: (place: string) => string, value: unknown) => {
      if (value !== undefined) where.push(condition(`$${parameters.push(value)}`));
    };
    filter((p) => `action = ${p}`, query.action);
    filter((p) => `actor_id = ${p}`, query.actor_id);
    filter((p) => `subject = ${p}`, query.subject);
    filter((p) => `a.at >= ${p}::date::timestamp at time zone 'UTC'`, query.date_from);
    filter((p) => `a.at < (${p}::date + 1)::timestamp at time zone 'UTC'`, query.date_to);
    filter(
      (p) => `id < ${p}::bigint`,
      cursor === undefined ? undefined : decodeCursor('audit', cursor, 1)[0],
    );
    const rows = await refusingForgedCursor(cursor, () =>
      this.db.query<AuditRow>(
        `select id::text as id, platform.iso(a.at) as at, actor_kind, actor_id, actor_label, action, subject, address,
           correlation_id, coalesce(details, '{}') as details
         from platform.audit_log a ${where.length > 0 ? `where ${where.join(' and ')}` : ''}
         order by a.id desc limit $${parameters.push(limit + 1)}`,
        parameters,
      ),
    );
    return keysetPage(rows, limit, (last) => encodeCursor('audit', last.id));
  }
}
