import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Database } from '#platform/persistence/database.js';
import { JobQueue } from '#platform/queue/job-queue.js';
import { Handles, type JobHandler } from '#platform/queue/job.js';
import { FOLD_COUNT } from './sales.jobs.js';

const EVERY_MS = 60_000;

/** Keeps the table behind the list's `count` at a few rows. */
@Injectable()
@Handles(FOLD_COUNT)
export class FoldCount implements JobHandler<object>, OnApplicationBootstrap {
  constructor(
    private readonly db: Database,
    private readonly queue: JobQueue,
  ) {}

  onApplicationBootstrap(): Promise<void> {
    return this.queue.schedule(FOLD_COUNT, {}, { everyMs: EVERY_MS });
  }

  async handle(): Promise<void> {
    await this.db.query('select sales.fold_invoice_count()');
  }
}
