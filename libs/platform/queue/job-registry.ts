import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { Metrics } from '../observability/metrics.js';
import { runInContext } from '../observability/request-context.js';
import { HANDLES_JOB, type JobContext, type JobDefinition, type JobHandler, definedJobs } from './job.js';
import { inSpan } from '../observability/tracing.js';
import type { Envelope } from './job-queue.js';

/** Finds the handler of every job at boot and refuses to start when one is missing or doubled. */
@Injectable()
export class JobRegistry implements OnModuleInit {
  private handlers = new Map<string, JobHandler<object>>();

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly metrics: Metrics,
  ) {}

  onModuleInit(): void {
    const found = this.discovery.getProviders().flatMap((provider) => {
      const job =
        provider.metatype && (Reflect.getMetadata(HANDLES_JOB, provider.metatype) as string | undefined);
      return job ? [{ job, handler: provider.instance as JobHandler<object> }] : [];
    });
    this.handlers = matchHandlers(definedJobs(), found);
  }

  async dispatch(name: string, envelope: Envelope, context: JobContext): Promise<void> {
    const handler = this.handlers.get(name);
    if (!handler) throw new Error(`no handler for job "${name}"`);
    try {
      const { context: origin } = envelope;
      await runInContext(origin, () =>
        inSpan(
          `job ${name}`,
          { 'job.id': context.id },
          () => handler.handle(envelope.data, context),
          origin.trace,
        ),
      );
      this.metrics.jobs.inc({ name, result: 'completed' });
    } catch (error) {
      this.metrics.jobs.inc({ name, result: 'failed' });
      throw error;
    }
  }
}

/** @throws naming every job without exactly one handler, and every handler of a job that nobody defined */
export function matchHandlers(
  jobs: readonly JobDefinition<object>[],
  found: readonly { job: string; handler: JobHandler<object> }[],
): Map<string, JobHandler<object>> {
  const problems = jobs
    .map((job) => ({ job: job.name, count: found.filter((f) => f.job === job.name).length }))
    .filter(({ count }) => count !== 1)
    .map(({ job, count }) => `job "${job}" has ${count} handlers, not one`);
  const names = new Set(jobs.map((job) => job.name));
  for (const { job } of found) if (!names.has(job)) problems.push(`a handler names the unknown job "${job}"`);
  if (problems.length > 0) throw new Error(problems.join('; '));
  return new Map(found.map(({ job, handler }) => [job, handler]));
}
