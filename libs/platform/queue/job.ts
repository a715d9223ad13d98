import { SetMetadata } from '@nestjs/common';

/** One queue a kind of load: long sessions, quick reactions to events, and housekeeping never wait for each other. */
export const QUEUES = ['sessions', 'events', 'maintenance'] as const;
export type QueueName = (typeof QUEUES)[number];

/** A job's name, its queue and (as a type only) its payload. */
export interface JobDefinition<Data extends object> {
  readonly queue: QueueName;
  readonly name: string;
  /** How often a failing job is tried before it becomes a dead letter. */
  readonly attempts: number;
  readonly payload?: Data;
}

export interface JobContext {
  /** Aborted when the worker shuts down. */
  signal: AbortSignal;
  id: string;
}

export interface JobHandler<Data extends object> {
  handle(data: Data, context: JobContext): Promise<void>;
}

const defined = new Map<string, JobDefinition<object>>();

/** Declares a job. Each must have exactly one handler among the worker's providers, or the worker does not boot. */
export function defineJob<Data extends object>(
  queue: QueueName,
  name: string,
  options: { attempts?: number } = {},
): JobDefinition<Data> {
  const job: JobDefinition<Data> = { queue, name, attempts: options.attempts ?? 1 };
  if (defined.has(name)) throw new Error(`job "${name}" is defined twice`);
  defined.set(name, job);
  return job;
}

export const definedJobs = (): readonly JobDefinition<object>[] => [...defined.values()];

export const HANDLES_JOB = Symbol('handles job');

/** Marks the provider that handles a job; only worker modules may provide it. */
export const Handles = <Data extends object>(job: JobDefinition<Data>) => SetMetadata(HANDLES_JOB, job.name);
