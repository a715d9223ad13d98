import { Inject, Injectable, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import type { Logger } from 'pino';
import { LOGGER } from '../observability/observability.module.js';
import { Database } from '../persistence/database.js';
import { Handles, type JobHandler, defineJob } from './job.js';
import { allRetentions } from './retention.js';
import { Schedules, runRegularly } from './schedules.js';

export const PRUNE = defineJob('maintenance', 'prune');

runRegularly(PRUNE, { everyMs: 15 * 60_000 });

const BATCH = 5000;

/** Removes what has been kept long enough, in batches, so that no statement holds many rows. */
@Injectable()
@Handles(PRUNE)
export class Prune implements JobHandler<object>, OnApplicationBootstrap {
  constructor(
    private readonly db: Database,
    private readonly schedules: Schedules,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): Promise<void> {
    return this.schedules.start();
  }

  /** The queue's store may have lost them (Redis without persistence). */
  @Interval(60_000)
  async restoreSchedules(): Promise<void> {
    await this.schedules
      .start()
      .catch((error: unknown) =>
        this.logger.warn({ err: error }, 'schedules could not be checked; trying again'),
      );
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
