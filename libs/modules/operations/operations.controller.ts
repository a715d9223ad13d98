import { Body, Controller, Get, HttpCode, Param, Post, Put, Query } from '@nestjs/common';
import { ApiAcceptedResponse, ApiNoContentResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Audit } from '#platform/audit/audit.js';
import { notFound } from '#platform/errors/app-error.js';
import { Roles } from '#platform/http/access.js';
import { Errors } from '#platform/http/documented.js';
import { Database } from '#platform/persistence/database.js';
import { JobQueue } from '#platform/queue/job-queue.js';
import { Schedules } from '#platform/queue/schedules.js';
import {
  DeadLetterPage,
  ListDeadLettersQuery,
  PauseScheduleBody,
  ScheduleList,
  TriggeredSchedule,
} from './operations.dto.js';

@ApiTags('operations')
@Controller('operations')
export class OperationsController {
  constructor(
    private readonly queue: JobQueue,
    private readonly planned: Schedules,
    private readonly db: Database,
    private readonly audit: Audit,
  ) {}

  /** What runs by itself, and when next. */
  @Roles('viewer')
  @Get('schedules')
  @ApiOkResponse({ type: ScheduleList })
  @Errors(401, 403)
  async schedules(): Promise<ScheduleList> {
    const data = await this.planned.list();
    return { data, page: { next_cursor: null, limit: data.length } };
  }

  /** Pauses a schedule, or lets it run again. */
  @Roles('operator')
  @Put('schedules/:name')
  @HttpCode(204)
  @ApiNoContentResponse()
  @Errors(400, 401, 403, 404)
  async pause(@Param('name') name: string, @Body() { paused }: PauseScheduleBody): Promise<void> {
    this.known(name);
    await this.db.tx(async () => {
      await this.planned.keep(name, paused);
      await this.audit.record(
        paused ? 'operations.schedule_paused' : 'operations.schedule_resumed',
        `schedule:${name}`,
      );
    });
    await this.planned.start();
  }

  /** Runs a schedule once, now. */
  @Roles('operator')
  @Post('schedules/:name/trigger')
  @HttpCode(202)
  @ApiAcceptedResponse({ type: TriggeredSchedule })
  @Errors(401, 403, 404)
  async trigger(@Param('name') name: string): Promise<TriggeredSchedule> {
    this.known(name);
    await this.audit.record('operations.schedule_triggered', `schedule:${name}`);
    await this.planned.trigger(name);
    return { name, status: 'queued' };
  }

  /** Jobs that failed for good, newest first. */
  @Roles('viewer')
  @Get('dead-letters')
  @ApiOkResponse({ type: DeadLetterPage })
  @Errors(400, 401, 403)
  async deadLetters(@Query() { limit }: ListDeadLettersQuery): Promise<DeadLetterPage> {
    return { data: await this.queue.deadLetters(limit), page: { next_cursor: null, limit } };
  }

  /** Puts a dead letter back into its queue with fresh attempts. */
  @Roles('operator')
  @Post('dead-letters/:id/replay')
  @HttpCode(204)
  @ApiNoContentResponse()
  @Errors(401, 403, 404)
  async replay(@Param('id') id: string): Promise<void> {
    const job = await this.queue.deadLetter(id);
    if (!job) throw notFound('dead letter', 'operations.dead_letter_not_found');
    // The queue is outside of any transaction: what was asked for is recorded before it is done.
    await this.audit.record('operations.dead_letter_replayed', `job:${id}`);
    await this.queue.replay(job);
  }

  private known(name: string): void {
    if (!this.planned.has(name)) throw notFound('schedule', 'operations.schedule_not_found');
  }
}
