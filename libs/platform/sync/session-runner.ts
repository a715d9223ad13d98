import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import type { Logger } from 'pino';
import { LOGGER } from '../observability/observability.module.js';
import { runInContext } from '../observability/request-context.js';
import { Database, isConnectionLost } from '../persistence/database.js';
import { Notifier } from '../persistence/notifier.js';
import { Handles, type JobContext, type JobHandler } from '../queue/job.js';
import { type Lease, LeaseLost, SessionStore } from './session-store.js';
import { type Page, RUNS_SESSION, SessionFailure, type SessionWork } from './session-work.js';
import { RUN_SESSION, type RunSessionData, type SessionKind, type SessionView } from './session.js';

/** A lease is renewed this many times before it would run out. */
const RENEWALS = 4;
const RETRY_MS = 1000;

/**
 * Runs sessions: takes the lease, goes on from the checkpoint, writes each page in one transaction with its lease
 * check, and ends the session. A crash at any instant repeats at most one page; a worker that lost its lease
 * stops without touching anything, because its next commit finds another epoch.
 */
@Injectable()
@Handles(RUN_SESSION)
export class SessionRunner implements JobHandler<RunSessionData>, OnModuleInit {
  /** Names this process in leases. */
  private readonly owner = randomUUID();
  private readonly works = new Map<string, SessionWork>();

  constructor(
    private readonly store: SessionStore,
    private readonly db: Database,
    private readonly notifier: Notifier,
    private readonly discovery: DiscoveryService,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onModuleInit(): void {
    for (const { metatype, instance } of this.discovery.getProviders()) {
      const kind = metatype && (Reflect.getMetadata(RUNS_SESSION, metatype) as SessionKind | undefined);
      if (!kind) continue;
      if (this.works.has(kind)) throw new Error(`two providers run "${kind}" sessions`);
      this.works.set(kind, instance as SessionWork);
    }
  }

  async handle({ sessionId, epoch }: RunSessionData, { signal }: JobContext): Promise<void> {
    for (let known = epoch; ;) {
      try {
        const lease = await this.store.acquire(sessionId, this.owner, known);
        if (!lease) return;
        known = lease.epoch;
        const context = await this.store.context(sessionId);
        await runInContext(context ?? {}, () => this.hold(lease, signal));
        return;
      } catch (error) {
        // Nothing is lost with the connection: the checkpoint says where to go on.
        if (!isConnectionLost(error) || signal.aborted) throw error;
        this.logger.warn(
          { err: error, session_id: sessionId },
          'a session lost its database connection; going on soon',
        );
        await sleep(RETRY_MS);
      }
    }
  }

  /** Works under a lease that is kept alive beside it, and watches for a cancel. */
  private async hold(lease: Lease, shutdown: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const onShutdown = () => stop.abort();
    shutdown.addEventListener('abort', onShutdown, { once: true });
    const unless = (still: Promise<boolean>) =>
      still.then((yes) => yes || stop.abort()).catch(() => undefined);
    const heartbeat = setInterval(() => void unless(this.store.renew(lease)), lease.ms / RENEWALS);
    let unlisten: () => void = () => undefined;
    try {
      unlisten = await this.notifier.listen(
        'instep_session',
        () => void unless(this.store.isCancelling(lease.sessionId).then((cancelling) => !cancelling)),
      );
      await this.work(lease, stop.signal);
    } catch (error) {
      if (isConnectionLost(error)) throw error;
      await this.conclude(lease, error);
    } finally {
      clearInterval(heartbeat);
      unlisten();
      shutdown.removeEventListener('abort', onShutdown);
      if (shutdown.aborted) await this.store.release(lease).catch(() => undefined);
    }
  }

  private async work(lease: Lease, signal: AbortSignal): Promise<void> {
    const session = await this.store.find(lease.sessionId);
    if (!session) return;
    const work = this.works.get(session.kind);
    if (!work) throw new SessionFailure(`Nothing here can run "${session.kind}" sessions.`);
    if (session.state === 'cancelling') throw new LeaseLost();
    const params = await this.store.params(lease.sessionId);
    for (const entity of session.entities) {
      const checkpoint = await this.store.checkpoint(lease.sessionId, entity);
      const pages = work.pages({ session, entity, checkpoint, params, signal })[Symbol.asyncIterator]();
      await this.writePages(lease, entity, pages, signal);
    }
    signal.throwIfAborted();
    await this.db.tx(async () => {
      await this.cleanUp(session);
      await this.store.finish(lease, 'done');
    });
  }

  /** Drops what only the session needed. Repeating it does no harm. */
  async cleanUp(session: SessionView): Promise<void> {
    await this.works.get(session.kind)?.cleanUp?.(session.session_id);
  }

  private async writePages(
    lease: Lease,
    entity: string,
    pages: AsyncIterator<Page>,
    signal: AbortSignal,
  ): Promise<void> {
    let next = pages.next();
    try {
      for (;;) {
        const fetched = await next;
        if (fetched.done === true) return;
        const page = fetched.value;
        signal.throwIfAborted();
        next = pages.next();
        // Awaited at the loop's head; until then a failure must not count as unhandled.
        next.catch(() => undefined);
        await this.db.tx(async () => this.store.commitPage(lease, { entity, ...(await page.apply()) }));
      }
    } finally {
      await next.catch(() => undefined);
      await pages.return?.().catch(() => undefined);
    }
  }

  /** The end of a session whose work stopped early. */
  private async conclude(lease: Lease, error: unknown): Promise<void> {
    const session = await this.store.find(lease.sessionId);
    if (!session || session.finished_at) return;
    try {
      if (session.state === 'cancelling') return await this.end(lease, session, 'cancelled', null);
      if (error instanceof LeaseLost || (error as Error).name === 'AbortError') return;
      this.logger.error({ err: error, session_id: lease.sessionId }, 'a session failed');
      const reason =
        error instanceof SessionFailure
          ? error.message
          : 'An internal error stopped it; the log has the details.';
      await this.end(lease, session, 'failed', reason);
    } catch (lost) {
      if (!(lost instanceof LeaseLost)) throw lost;
    }
  }

  private async end(
    lease: Lease,
    session: SessionView,
    state: 'cancelled' | 'failed',
    error: string | null,
  ): Promise<void> {
    await this.db.tx(async () => {
      await this.cleanUp(session);
      await this.store.finish(lease, state, error);
    });
  }
}
