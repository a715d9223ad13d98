import { Inject } from '@nestjs/common';
import { OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import { type Job } from 'bullmq';
import type { Logger } from 'pino';
import { LOGGER } from '../observability/observability.module.js';
import type { Envelope } from './job-queue.js';
import { JobRegistry } from './job-registry.js';

abstract class RegistryProcessor extends WorkerHost {
  constructor(
    @Inject(JobRegistry) private readonly registry: JobRegistry,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    super();
  }

  /** Three declared parameters, or BullMQ hands over no signal. */
  async process(job: Job<Envelope>, _token?: string, signal?: AbortSignal): Promise<void> {
    await this.registry.dispatch(job.name, job.data, {
      id: job.id ?? '',
      signal: signal ?? new AbortController().signal,
    });
  }

  @OnWorkerEvent('error')
  onError(error: Error): void {
    this.logger.warn({ err: error }, 'a queue worker met an error');
  }

  @OnWorkerEvent('failed')
  onFailed(job: Job | undefined, error: Error): void {
    this.logger.error(
      { err: error, job: job?.name, id: job?.id, attempt: job?.attemptsMade },
      'a job failed',
    );
  }
}

@Processor('sessions', { concurrency: 4 })
export class SessionsProcessor extends RegistryProcessor {}

@Processor('events', { concurrency: 4 })
export class EventsProcessor extends RegistryProcessor {}

@Processor('maintenance', { concurrency: 1 })
export class MaintenanceProcessor extends RegistryProcessor {}
