import { Injectable } from '@nestjs/common';
import { currentContext } from '../observability/request-context.js';
import { Database } from '../persistence/database.js';
import { answering } from './answering.js';
import { type Envelope, JobQueue, optionsOf } from './job-queue.js';
import type { JobDefinition } from './job.js';

/** When a job runs by itself. Patterns are cron expressions in UTC. */
export type When = { everyMs: number } | { pattern: string };

export interface Schedule {
  name: string;
  paused: boolean;
  every_ms: number | null;
  pattern: string | null;
  /** Null while it is paused. */
  next_run: string | null;
}

interface Declared {
  job: JobDefinition<object>;
  when: When;
}

const declared = new Map<string, Declared>();

/** Declares at import time that a job without payload runs again and again. */
export function runRegularly(job: JobDefinition<object>, when: When): void {
  declared.set(job.name, { job, when });
}

/** What runs by itself: once a tick however many workers there are, and not while an operator has paused it. */
@Injectable()
export class Schedules {
  constructor(
    private readonly db: Database,
    private readonly queue: JobQueue,
  ) {}

  /** Brings BullMQ's schedulers to what the code and the operator say. Every worker does it at its start and each minute. */
  async start(): Promise<void> {
    const paused = await this.pausedNames();
    for (const name of declared.keys()) await this.apply(name, paused.has(name));
  }

  async list(): Promise<Schedule[]> {
    const paused = await this.pausedNames();
    return Promise.all(
      [...declared].map(async ([name, { job, when }]) => {
        const scheduler = paused.has(name)
          ? undefined
          : await answering(this.queue.queue(job.queue).getJobScheduler(name));
        return {
          name,
          paused: paused.has(name),
          every_ms: 'everyMs' in when ? when.everyMs : null,
          pattern: 'pattern' in when ? when.pattern : null,
          next_run: scheduler?.next ? new Date(scheduler.next).toISOString() : null,
        };
      }),
    );
  }

  has(name: string): boolean {
    return declared.has(name);
  }

  /** Stores what an operator wants; {@link start} makes the queue follow. */
  async keep(name: string, paused: boolean): Promise<void> {
    await this.db.execute(
      `insert into platform.schedule (name, paused) values ($1, $2)
       on conflict (name) do update set paused = excluded.paused, changed_at = clock_timestamp()`,
      [name, paused],
    );
  }

  /** Runs it once now, paused or not. */
  async trigger(name: string): Promise<void> {
    const schedule = declared.get(name);
    if (schedule) await this.queue.add(schedule.job, {});
  }

  private async apply(name: string, paused: boolean): Promise<void> {
    const { job, when } = declared.get(name) ?? {};
    if (!job || !when) return;
    const queue = this.queue.queue(job.queue);
    if (paused) {
      await queue.removeJobScheduler(name);
      return;
    }
    // Making it again would begin its interval anew.
    const known = await queue.getJobScheduler(name);
    const same = 'everyMs' in when ? Number(known?.every) === when.everyMs : known?.pattern === when.pattern;
    if (known && same) return;
    await queue.upsertJobScheduler(
      name,
      'everyMs' in when ? { every: when.everyMs } : { pattern: when.pattern, tz: 'UTC' },
      { name, data: { data: {}, context: currentContext() } satisfies Envelope, opts: optionsOf(job) },
    );
  }

  private async pausedNames(): Promise<Set<string>> {
    const rows = await this.db.query<{ name: string }>('select name from platform.schedule where paused');
    return new Set(rows.map((row) => row.name));
  }
}
