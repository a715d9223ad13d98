import { setTimeout as sleep } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Inject } from '@nestjs/common';
import { OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import { type Job } from 'bullmq';
import type { Logger } from 'pino';
import { LOGGER } from '../observability/observability.module.js';
import type { Envelope } from './job-queue.js';
import { JobRegistry } from './job-registry.js';

/** Jobs that take longer to stop do not hold up a shutdown: their work is derived again. */
const STOP_MS = 5000;

abstract class RegistryProcessor extends WorkerHost implements BeforeApplicationShutdown {
  private readonly closing = new AbortController();

  constructor(
    @Inject(JobRegistry) private readonly registry: JobRegistry,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    super();
  }

  /** Three declared parameters, or BullMQ hands over no signal. */
  async process(job: Job<Envelope>, _token?: string, signal?: AbortSignal): Promise<void> {
    const { signal: closing } = this.closing;
    await this.registry.dispatch(job.name, job.data, {
      id: job.id ?? '',
      signal: signal ? AbortSignal.any([signal, closing]) : closing,
    });
  }

  /** While database and queue are still there, which a later hook closes beside the workers. */
  async beforeApplicationShutdown(): Promise<void> {
    this.closing.abort();
    await Promise.race([this.worker.close(), sleep(STOP_MS, undefined, { ref: false })]).catch(
      () => undefined,
    );
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
