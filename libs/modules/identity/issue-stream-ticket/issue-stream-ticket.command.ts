import { ApiProperty } from '@nestjs/swagger';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsString, Matches, MaxLength } from 'class-validator';
import { Audit } from '#platform/audit/audit.js';
import { Database } from '#platform/persistence/database.js';
import type { Caller } from '../authenticate/caller.js';
import { TICKET_PREFIX, pathOf } from '../authenticate/request-authenticator.js';
import { hashOf, randomSecret } from '../secrets.js';

/** Under /api or /workflow, with a segment `stream` or `sse`, written plainly: no escapes, no `..`. */
const STREAM_PATH =
  /^\/(?:api|workflow)(?=(?:\/[^/?]+)*?\/(?:stream|sse)(?:[/?]|$))(?:\/(?!\.{1,2}(?:[/?]|$))[A-Za-z0-9._~:-]+)+\/?(?:\?.*)?$/;

/** Which stream. */
export class StreamTicketRequest {
  /** The stream's path; a query is allowed and not part of the binding. */
  @ApiProperty({ example: '/api/sales/sse/invoices/', maxLength: 500 })
  @IsString()
  @MaxLength(500)
  @Matches(STREAM_PATH, { message: 'must be the path of a stream, as /api/sales/sse/invoices/' })
  path: string;
}

/** Goes into the stream's URL as `?ticket=`. */
export class StreamTicket {
  @ApiProperty({ example: 'inst_<43 characters>' })
  ticket: string;

  /** The first use must come before this. */
  @ApiProperty({ example: '2026-01-02T10:30:30.000Z', format: 'date-time' })
  expires_at: string;

  /** Once used, the same ticket opens the same path again until this. */
  @ApiProperty({ example: '2026-01-02T18:30:00.000Z', format: 'date-time' })
  reusable_until: string;
}

export class IssueStreamTicketCommand extends Command<StreamTicket> {
  constructor(
    readonly caller: Caller,
    readonly request: StreamTicketRequest,
  ) {
    super();
  }
}

/** The ticket ends with the sign-in, or the key, that it was made from. */
@CommandHandler(IssueStreamTicketCommand)
export class IssueStreamTicketHandler implements ICommandHandler<IssueStreamTicketCommand> {
  constructor(
    private readonly db: Database,
    private readonly audit: Audit,
  ) {}

  async execute({ caller, request }: IssueStreamTicketCommand): Promise<StreamTicket> {
    const { actor, sessionId } = caller;
    const path = pathOf(request.path);
    const ticket = randomSecret(TICKET_PREFIX);
    return this.db.tx(async () => {
      const [times] = await this.db.query<Omit<StreamTicket, 'ticket'>>(
        `insert into identity.stream_ticket (hash, path, user_id, api_key_id, session_id, created_at, first_use_before, expires_at)
         select $1, $2, $3, $4, $5, now, now + interval '30 seconds', now + interval '8 hours'
         from (select platform.now() as now) clock
         returning platform.iso(first_use_before) as expires_at, platform.iso(expires_at) as reusable_until`,
        [
          hashOf(ticket),
          path,
          actor.kind === 'user' ? actor.id : null,
          actor.kind === 'api_key' ? actor.id : null,
          sessionId,
        ],
      );
      if (!times) throw new Error('the ticket was not stored');
      await this.audit.record('identity.stream_ticket_issued', `${actor.kind}:${actor.id}`, { path });
      return { ticket, ...times };
    });
  }
}
