import { Controller, Get, Header } from '@nestjs/common';
import { ApiOkResponse, ApiProduces, ApiTags } from '@nestjs/swagger';
import { Metrics } from '../observability/metrics.js';
import { Database } from '../persistence/database.js';
import { JobQueue } from '../queue/job-queue.js';
import { Roles } from './access.js';
import { Errors } from './documented.js';

@ApiTags('health')
@Controller('metrics')
export class MetricsController {
  constructor(
    private readonly metrics: Metrics,
    db: Database,
    queue: JobQueue,
  ) {
    metrics.observe('instep_jobs_waiting', 'Jobs that wait for a worker', () => orUnknown(queue.waiting()));
    metrics.observe('instep_outbox_rows', 'Events that wait for the sequencer', () =>
      orUnknown(count(db, 'select count(*) from platform.outbox')),
    );
    metrics.observe('instep_sessions_live', 'Sessions that have not ended', () =>
      orUnknown(count(db, 'select count(*) from platform.session where finished_at is null')),
    );
  }

  /** Prometheus metrics of this process. */
  @Roles('viewer')
  @Get()
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  @Errors(401, 403)
  @ApiProduces('text/plain')
  @ApiOkResponse({ schema: { type: 'string', example: 'instep_jobs_waiting 0' } })
  read(): Promise<string> {
    return this.metrics.registry.metrics();
  }
}

const count = async (db: Database, sql: string) =>
  Number((await db.first<{ count: string }>(sql))?.count ?? 0);

/** A value that cannot be measured is NaN, which Prometheus takes for "unknown", and does not hide the others. */
const orUnknown = (value: Promise<number>) => value.catch(() => Number.NaN);
