import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { getQueueToken } from '@nestjs/bullmq';
import type { Job, JobsOptions, Queue } from 'bullmq';
import type { Logger } from 'pino';
import { LOGGER } from '../observability/observability.module.js';
import { type RequestContext, currentContext } from '../observability/request-context.js';
import { answering } from './answering.js';
import { type JobDefinition, QUEUES, type QueueName } from './job.js';

/** What stands in a job: the payload, and the context to go on in. */
export interface Envelope {
  data: object;
  context: RequestContext;
}

/** A job that failed for good and waits for a person. */
export interface DeadLetter {
  id: string;
  queue: QueueName;
  name: string;
  reason: string;
  attempts: number;
  failed_at: string | null;
}

/** The typed door to BullMQ. A job is a wire, never the truth: what it does must be derivable from tables. */
@Injectable()
export class JobQueue implements OnModuleInit {
  constructor(
    private readonly modules: ModuleRef,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Without a listener Node prints whatever a queue meets (a restarting database) as it is. */
  onModuleInit(): void {
    for (const name of QUEUES) {
      this.queue(name).on('error', (error) =>
        this.logger.warn({ err: error, queue: name }, 'a queue met an error'),
      );
    }
  }

  /** @param options.id the same id again is the same job: added once while it waits or runs */
  async add<Data extends object>(
    job: JobDefinition<Data>,
    data: Data,
    options: { id?: string; delayMs?: number; context?: RequestContext } = {},
  ): Promise<void> {
    await this.addBulk([{ job, data, ...options }]);
  }

  async addBulk(
    entries: {
      job: JobDefinition<object>;
      data: object;
      id?: string;
      delayMs?: number;
      context?: RequestContext;
    }[],
  ): Promise<void> {
    for (const name of QUEUES) {
      const jobs = entries
        .filter(({ job }) => job.queue === name)
        .map(({ job, data, id, delayMs, context }) => ({
          name: job.name,
          data: { data, context: context ?? currentContext() } satisfies Envelope,
          opts: { ...optionsOf(job), ...(id && { jobId: id }), ...(delayMs && { delay: delayMs }) },
        }));
      if (jobs.length > 0) await this.queue(name).addBulk(jobs);
    }
  }

  /** Newest first. */
  async deadLetters(limit: number): Promise<DeadLetter[]> {
    const all = await Promise.all(
      QUEUES.map(async (queue) =>
        (await answering(this.queue(queue).getFailed(0, limit - 1))).map((job: Job) => ({
          id: `${queue}:${job.id ?? ''}`,
          queue,
          name: job.name,
          reason: job.failedReason,
          attempts: job.attemptsMade,
          failed_at: job.finishedOn ? new Date(job.finishedOn).toISOString() : null,
        })),
      ),
    );
    return all
      .flat()
      .sort((a, b) => (b.failed_at ?? '').localeCompare(a.failed_at ?? ''))
      .slice(0, limit);
  }

  /** The dead letter with an id, or undefined. */
  async deadLetter(id: string): Promise<Job | undefined> {
    const [name, ...rest] = id.split(':');
    const queue = QUEUES.find((q) => q === name);
    const job: Job | undefined = queue && (await this.queue(queue).getJob(rest.join(':')));
    return job && (await job.isFailed()) ? job : undefined;
  }

  /** Puts a dead letter back with fresh attempts. */
  async replay(job: Job): Promise<void> {
    await job.retry('failed', { resetAttemptsMade: true });
  }

  /** How many jobs wait, over all queues. Fails when the queue's store does not answer. */
  async waiting(): Promise<number> {
    const counts = await answering(Promise.all(QUEUES.map((name) => this.queue(name).getWaitingCount())));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** BullMQ's own queue, for what this class does not say. Only this room uses it. */
  queue(name: QueueName): Queue {
    return this.modules.get<Queue>(getQueueToken(name), { strict: false });
  }
}

export const optionsOf = (job: JobDefinition<object>): JobsOptions => ({
  attempts: job.attempts,
  backoff: { type: 'exponential', delay: 1000, jitter: 0.5 },
  removeOnComplete: true,
  removeOnFail: job.attempts === 1 ? true : { age: 31 * 24 * 3600 },
});
