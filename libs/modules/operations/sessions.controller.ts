import {
  Controller,
  Delete,
  Get,
  HttpException,
  HttpStatus,
  type MessageEvent,
  Param,
  Query,
  Req,
  Res,
  Sse,
} from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import {
  ApiNoContentResponse,
  ApiOkResponse,
  ApiProduces,
  ApiTags,
  getSchemaPath,
  ApiExtraModels,
} from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Observable } from 'rxjs';
import { Audit } from '#platform/audit/audit.js';
import { notFound } from '#platform/errors/app-error.js';
import { Roles } from '#platform/http/access.js';
import { Errors } from '#platform/http/documented.js';
import { EventStream, readerOf } from '#platform/http/event-stream.js';
import { UuidParam } from '#platform/http/row-id.js';
import { Database } from '#platform/persistence/database.js';
import { parseEventId } from '#platform/streams/event-id.js';
import { StreamHub } from '#platform/streams/stream-hub.js';
import { SessionStreams } from '#platform/sync/session-streams.js';
import { SessionStore } from '#platform/sync/session-store.js';
import type { SessionView } from '#platform/sync/session.js';
import {
  ListOutcomesQuery,
  OutcomePage,
  OutcomeParameters,
  type OutcomesAnswer,
} from './list-outcomes/list-outcomes.query.js';
import { ListSessionsQuery, SessionBody, SessionPage } from './list-sessions/list-sessions.query.js';

@ApiTags('sessions')
@Controller('sessions')
export class SessionsController {
  constructor(
    private readonly queries: QueryBus,
    private readonly sessions: SessionStore,
    private readonly streams: SessionStreams,
    private readonly hub: StreamHub,
    private readonly db: Database,
    private readonly audit: Audit,
  ) {}

  /** Everything that runs or ran in the background, newest first. */
  @Roles('viewer')
  @Get()
  @ApiOkResponse({ type: SessionPage })
  @Errors(400, 401, 403)
  list(@Query() query: ListSessionsQuery): Promise<SessionPage> {
    return this.queries.execute(query);
  }

  /** One session with its counters. */
  @Roles('viewer')
  @Get(':id')
  @ApiOkResponse({ type: SessionBody })
  @Errors(400, 401, 403, 404)
  get(@Param('id', UuidParam) id: string): Promise<SessionView> {
    return this.known(id);
  }

  /** Asks a session to stop: it ends within a page; what it did stays. A finished one is left as it is. */
  @Roles('operator')
  @Delete(':id')
  @ApiOkResponse({ type: SessionBody })
  @Errors(400, 401, 403, 404)
  async cancel(@Param('id', UuidParam) id: string): Promise<SessionView> {
    const { state } = await this.known(id);
    return this.db.tx(async () => {
      const view = await this.sessions.cancel(id);
      if (state === 'initiated' || state === 'in_progress')
        await this.audit.record('sync.session_cancelled', `session:${id}`);
      return view ?? this.known(id);
    });
  }

  /** Progress of a session until its end. Each event is the session as `GET /api/sessions/{id}` shows it. */
  @Roles('viewer')
  @Sse(':id/stream')
  @EventStream(
    '{"session_id":"6f2c7f0e-3a52-4a53-9f0e-1d1c2f0b7a11","state":"in_progress","progress":0.4,"processed":4000,"total":10000}',
  )
  @ApiNoContentResponse({ description: 'The reader has everything: `Last-Event-ID` is the terminal event' })
  @Errors(400, 401, 403, 404)
  async stream(
    @Param('id', UuidParam) id: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<Observable<MessageEvent>> {
    await this.known(id);
    const subscription = await this.streams.open(id, parseEventId(request.headers['last-event-id']));
    if (!subscription) throw new HttpException('', HttpStatus.NO_CONTENT);
    return this.hub.attach(reply.raw, { ...subscription, owner: readerOf(request) });
  }

  /** What became of the records of a session, in order; `outcome=rejected` for those that need somebody. */
  @Roles('viewer')
  @Get(':id/outcomes')
  @ApiProduces('application/json', 'application/x-ndjson', 'text/csv')
  @ApiExtraModels(OutcomePage)
  @ApiOkResponse({
    content: {
      'application/json': { schema: { $ref: getSchemaPath(OutcomePage) } },
      'application/x-ndjson': { schema: { type: 'string' } },
      'text/csv': {
        schema: {
          type: 'string',
          example: 'line,record,outcome,reason\n12,INV-7,failed,items.quantity is not a number\n',
        },
      },
    },
  })
  @Errors(400, 401, 403, 404)
  async outcomes(
    @Param('id', UuidParam) id: string,
    @Query() parameters: OutcomeParameters,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.known(id);
    const answer = await this.queries.execute<ListOutcomesQuery, OutcomesAnswer>(
      new ListOutcomesQuery(id, parameters),
    );
    if (answer.download)
      void reply.header('content-disposition', `attachment; filename="outcomes-${id}.${answer.download}"`);
    void reply.type(answer.type).send(answer.body);
  }

  private async known(id: string): Promise<SessionView> {
    const session = await this.sessions.find(id);
    if (!session) throw notFound('session', 'sync.session_not_found');
    return session;
  }
}
