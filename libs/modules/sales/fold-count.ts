import { Injectable } from '@nestjs/common';
import { Database } from '#platform/persistence/database.js';
import { Handles, type JobHandler } from '#platform/queue/job.js';
import { FOLD_COUNT } from './sales.jobs.js';

/** Keeps the table behind the list's `count` at a few rows. */
@Injectable()
@Handles(FOLD_COUNT)
export class FoldCount implements JobHandler<object> {
  constructor(private readonly db: Database) {}

  async handle(): Promise<void> {
    await this.db.query('select sales.fold_invoice_count()');
  }
}
