import { Inject, Injectable, Module, type OnApplicationBootstrap } from '@nestjs/common';
import type { Logger } from 'pino';
import { LOGGER } from '../observability/observability.module.js';
import { Database } from '../persistence/database.js';
import { JobQueue } from './job-queue.js';
import { Handles, type JobHandler, defineJob } from './job.js';
import { allRetentions } from './retention.js';

export const PRUNE = defineJob('maintenance', 'prune');

const BATCH = 5000;
const EVERY_MS = 15 * 60_000;

/** Removes what has been kept long enough, in batches, so that no statement holds many rows. */
@Injectable()
@Handles(PRUNE)
export class Prune implements JobHandler<object>, OnApplicationBootstrap {
  constructor(
    private readonly db: Database,
    private readonly queue: JobQueue,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): Promise<void> {
    return this.queue.schedule(PRUNE, {}, { everyMs: EVERY_MS });
  }

  async handle(): Promise<void> {
    for (const { table, column, keep, where } of allRetentions()) {
      let removed = 0;
      for (let batch = BATCH; batch === BATCH; removed += batch) {
        batch = await this.db.execute(
          `delete from ${table} where ctid = any(array(
             select ctid from ${table} t where ${column} < platform.now() - $1::interval ${where ? `and (${where})` : ''} limit ${BATCH}))`,
          [keep],
        );
      }
      if (removed > 0) this.logger.info({ table, removed }, 'pruned');
    }
  }
}

@Module({ providers: [Prune], exports: [Prune] })
export class HousekeepingModule {}
