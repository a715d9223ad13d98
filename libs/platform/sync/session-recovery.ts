import { Inject, Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import type { Logger } from 'pino';
import { LOGGER } from '../observability/observability.module.js';
import { Database } from '../persistence/database.js';
import { JobQueue } from '../queue/job-queue.js';
import { Handles, type JobHandler, defineJob } from '../queue/job.js';
import { type DomainEvent, subscribe } from '../streams/topic.js';
import { SessionStore } from './session-store.js';
import { SessionRunner } from './session-runner.js';
import { RUN_SESSION, SESSION_DROPPED, SESSION_REQUESTED } from './session.js';

const START_SESSION = defineJob<DomainEvent>('events', 'start-session', { attempts: 8 });
subscribe(SESSION_REQUESTED, START_SESSION);

/** Gives a session that was just committed its job. */
@Injectable()
@Handles(START_SESSION)
export class StartSession implements JobHandler<DomainEvent> {
  constructor(private readonly queue: JobQueue) {}

  async handle({ aggregateId }: DomainEvent): Promise<void> {
    await this.queue.add(RUN_SESSION, { sessionId: aggregateId, epoch: 0 }, { id: `${aggregateId}-0` });
  }
}

const CLEAN_UP_SESSION = defineJob<DomainEvent>('events', 'clean-up-session', { attempts: 8 });
subscribe(SESSION_DROPPED, CLEAN_UP_SESSION);

/** Removes what a session left behind that was cancelled before it began. */
@Injectable()
@Handles(CLEAN_UP_SESSION)
export class CleanUpSession implements JobHandler<DomainEvent> {
  constructor(
    private readonly store: SessionStore,
    private readonly runner: SessionRunner,
    private readonly db: Database,
  ) {}

  async handle({ aggregateId }: DomainEvent): Promise<void> {
    const session = await this.store.find(aggregateId);
    if (session) await this.db.tx(() => this.runner.cleanUp(session));
  }
}

const TICK_MS = 1000;

/**
 * Derives the jobs of sessions again from their rows: the queue may have lost them, or the worker that held the
 * lease died. The same id again is the same job while one waits; one that comes too late finds another epoch.
 */
@Injectable()
export class SessionRecovery {
  constructor(
    private readonly store: SessionStore,
    private readonly queue: JobQueue,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @Interval(TICK_MS)
  async tick(): Promise<void> {
    try {
      for (const { id, epoch } of await this.store.orphans()) {
        await this.queue.add(RUN_SESSION, { sessionId: id, epoch }, { id: `${id}-${epoch}` });
      }
    } catch (error) {
      this.logger.warn({ err: error }, 'sessions could not be checked; trying again');
    }
  }
}
