import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Audit } from '#platform/audit/audit.js';
import { notFound } from '#platform/errors/app-error.js';
import { Roles } from '#platform/http/access.js';
import { Errors } from '#platform/http/documented.js';
import { JobQueue } from '#platform/queue/job-queue.js';
import { DeadLetterPage, ListDeadLettersQuery, ScheduleList } from './operations.dto.js';

@ApiTags('operations')
@Controller('operations')
export class OperationsController {
  constructor(
    private readonly queue: JobQueue,
    private readonly audit: Audit,
  ) {}

  /** What runs by itself, and when next. */
  @Roles('viewer')
  @Get('schedules')
  @ApiOkResponse({ type: ScheduleList })
  @Errors(401, 403)
  async schedules(): Promise<ScheduleList> {
    return { data: await this.queue.schedules() };
  }

  /** Jobs that failed for good, newest first. */
  @Roles('viewer')
  @Get('dead-letters')
  @ApiOkResponse({ type: DeadLetterPage })
  @Errors(400, 401, 403)
  async deadLetters(@Query() { limit }: ListDeadLettersQuery): Promise<DeadLetterPage> {
    return { data: await this.queue.deadLetters(limit) };
  }

  /** Puts a dead letter back into its queue with fresh attempts. */
  @Roles('operator')
  @Post('dead-letters/:id/replay')
  @HttpCode(204)
  @ApiNoContentResponse()
  @Errors(401, 403, 404)
  async replay(@Param('id') id: string): Promise<void> {
    if (!(await this.queue.replay(id))) throw notFound('dead letter', 'operations.dead_letter_not_found');
    await this.audit.record('operations.dead_letter_replayed', `job:${id}`);
  }
}
