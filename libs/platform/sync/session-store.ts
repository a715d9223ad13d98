import { Injectable } from '@nestjs/common';
import { type RequestContext, currentContext } from '../observability/request-context.js';
import { Database } from '../persistence/database.js';
import { Notifier } from '../persistence/notifier.js';
import { EventLog } from '../streams/event-log.js';
import { Outbox } from '../streams/outbox.js';
import {
  COUNTERS,
  type Counters,
  type FinalState,
  SESSION_DROPPED,
  SESSION_REQUESTED,
  type SessionKind,
  type SessionView,
  sessionStream,
} from './session.js';

export interface NewSession {
  kind: SessionKind;
  trigger: SessionView['trigger'];
  entities: string[];
  connectionId?: string;
  /** What the work needs to know; never a secret. */
  params?: Record<string, unknown>;
}

/** The right to work on a session until it expires. Whoever takes it next has a higher epoch. */
export interface Lease {
  sessionId: string;
  owner: string;
  epoch: number;
  /** How long it holds without being renewed. */
  ms: number;
}

/** What one page adds. Counters are added, the rest replaces. */
export interface PageCommit {
  entity: string;
  checkpoint: object;
  counters: Partial<Counters>;
  progress: number | null;
  total?: number;
}

/** Thrown out of a page's transaction when the session is no longer this worker's to move. */
export class LeaseLost extends Error {}

/** The one writer of session state. Every move is a compare-and-set, with its event in the same transaction. */
@Injectable()
export class SessionStore {
  constructor(
    private readonly db: Database,
    private readonly events: EventLog,
    private readonly outbox: Outbox,
    private readonly notifier: Notifier,
  ) {}

  /** Creates a session; its job follows by the outbox once the caller's transaction has committed. */
  async create(session: NewSession): Promise<SessionView> {
    const context = currentContext();
    return this.db.tx(async () => {
      const row = await this.db.first<{ id: string }>(
        `insert into platform.session (kind, trigger, requested_by, context, connection_id, params, created_at)
         values ($1, $2, $3, $4, $5, $6, platform.now()) returning id`,
        [
          session.kind,
          session.trigger,
          context.actor.label,
          context,
          session.connectionId ?? null,
          session.params ?? {},
        ],
      );
      const id = row?.id ?? '';
      await this.db.execute(
        `insert into platform.session_entity (session_id, connection_id, entity, position)
         select $1, $2, entity, position from unnest($3::text[]) with ordinality as e (entity, position)`,
        [id, session.connectionId ?? null, session.entities],
      );
      await this.outbox.publish(SESSION_REQUESTED, 'sync.session-requested.v1', id);
      return this.announce(id);
    });
  }

  async find(id: string): Promise<SessionView | undefined> {
    return this.db.first<SessionView>(`${SESSION_SQL} where s.id = $1`, [id]);
  }

  /** Newest first, after the position of the last one seen. */
  async list(
    filter: { state?: string; kind?: string; after?: { createdAt: string; id: string } },
    limit: number,
  ): Promise<(SessionView & { position: string })[]> {
    return this.db.query(
      `select v.*, p.position from (
         select id, created_at, created_at::text as position from platform.session
         where ($1::text is null or state = $1) and ($2::text is null or kind = $2)
           and ($3::text is null or (created_at, id) < ($3::timestamptz, $4::uuid))
         order by created_at desc, id desc limit $5) p
       cross join lateral (${SESSION_SQL} where s.id = p.id) v
       order by p.created_at desc, p.id desc`,
      [
        filter.state ?? null,
        filter.kind ?? null,
        filter.after?.createdAt ?? null,
        filter.after?.id ?? null,
        limit,
      ],
    );
  }

  /** Sessions that nobody works on although somebody should: their lease ran out, or their job was lost. */
  async orphans(): Promise<{ id: string; epoch: number }[]> {
    return this.db.query(
      `select id, lease_epoch as epoch from platform.session
       where finished_at is null and coalesce(lease_expires_at, created_at + interval '5 seconds') < platform.now()
         and (resume_after is null or resume_after < platform.now())
       order by created_at limit 100`,
    );
  }

  /**
   * Takes the lease when it is free or was this owner's own.
   * @param epoch the last one that the taker knows of; a job that was made for an older one comes too late
   * @returns null while another holds it, or held it since
   */
  async acquire(sessionId: string, owner: string, epoch: number): Promise<Lease | null> {
    return this.db.tx(async () => {
      const row = await this.db.first<{ epoch: number; ms: number; fresh: boolean }>(
        `update platform.session s set lease_owner = $2, lease_epoch = lease_epoch + 1,
           lease_expires_at = platform.now() + lease_seconds * interval '1 second',
           state = case state when 'initiated' then 'in_progress' else state end,
           started_at = coalesce(started_at, platform.now())
         from platform.installation
         where id = $1 and finished_at is null and lease_epoch = $3
           and (lease_expires_at is null or lease_expires_at < platform.now() or lease_owner = $2)
         returning lease_epoch as epoch, lease_seconds * 1000 as ms, lease_epoch = 1 as fresh`,
        [sessionId, owner, epoch],
      );
      if (!row) return null;
      if (row.fresh) await this.announce(sessionId);
      return { sessionId, owner, epoch: row.epoch, ms: row.ms };
    });
  }

  /** @returns false when the lease is lost */
  async renew(lease: Lease): Promise<boolean> {
    const renewed = await this.db.execute(
      `update platform.session set lease_expires_at = platform.now() + lease_seconds * interval '1 second'
       from platform.installation
       where id = $1 and lease_owner = $2 and lease_epoch = $3 and finished_at is null`,
      [lease.sessionId, lease.owner, lease.epoch],
    );
    return renewed > 0;
  }

  /** Lets another worker take over at once (shutdown). */
  async release(lease: Lease): Promise<void> {
    await this.db.execute(
      `update platform.session set lease_expires_at = platform.now() - interval '1 second'
       where id = $1 and lease_owner = $2 and lease_epoch = $3 and finished_at is null`,
      [lease.sessionId, lease.owner, lease.epoch],
    );
  }

  /** Who the session's work is done as. */
  async context(sessionId: string): Promise<RequestContext | undefined> {
    const row = await this.db.first<{ context: RequestContext }>(
      'select context from platform.session where id = $1',
      [sessionId],
    );
    return row?.context;
  }

  async params(sessionId: string): Promise<Record<string, unknown>> {
    const row = await this.db.first<{ params: Record<string, unknown> }>(
      'select params from platform.session where id = $1',
      [sessionId],
    );
    return row?.params ?? {};
  }

  async checkpoint(sessionId: string, entity: string): Promise<unknown> {
    const row = await this.db.first<{ checkpoint: unknown }>(
      'select checkpoint from platform.session_entity where session_id = $1 and entity = $2',
      [sessionId, entity],
    );
    return row?.checkpoint ?? null;
  }

  /**
   * The last statements of a page's transaction: moves checkpoint and counters if the lease still holds.
   * @throws LeaseLost which rolls the whole page back
   */
  async commitPage(lease: Lease, page: PageCommit): Promise<void> {
    const counts = COUNTERS.map((name) => page.counters[name] ?? 0);
    const moved = await this.db.execute(
      `update platform.session set
         lease_expires_at = platform.now() + lease_seconds * interval '1 second',
         progress = greatest(progress, least($4::float8, 1)), total = coalesce($5, total),
         ${COUNTERS.map((name, i) => `${name} = ${name} + $${i + 6}`).join(', ')}
       from platform.installation
       where id = $1 and lease_owner = $2 and lease_epoch = $3 and state = 'in_progress'`,
      [lease.sessionId, lease.owner, lease.epoch, page.progress, page.total ?? null, ...counts],
    );
    if (moved === 0) throw new LeaseLost();
    await this.db.execute(
      'update platform.session_entity set checkpoint = $3 where session_id = $1 and entity = $2',
      [lease.sessionId, page.entity, page.checkpoint],
    );
    await this.announce(lease.sessionId);
  }

  /** Ends a session that this lease holds. @throws LeaseLost when it does not any more */
  async finish(lease: Lease, wanted: FinalState | 'done', error: string | null = null): Promise<SessionView> {
    return this.db.tx(async () => {
      const ended = await this.db.execute(
        `update platform.session set finished_at = platform.now(), error = $5,
           progress = case when $4 = 'done' then 1 else progress end,
           state = case when $4 <> 'done' then $4 when failed + conflicts > 0 then 'completed_with_errors' else 'completed' end
         where id = $1 and lease_owner = $2 and lease_epoch = $3 and finished_at is null
           and (state = 'in_progress' or $4 = 'cancelled')`,
        [lease.sessionId, lease.owner, lease.epoch, wanted, error],
      );
      if (ended === 0) throw new LeaseLost();
      return this.close(lease.sessionId);
    });
  }

  /**
   * Asks for the end of a session. One that never began ends at once; a running one ends within a page.
   * @returns the session, or undefined when there is none; a finished one is left as it is
   */
  async cancel(id: string): Promise<SessionView | undefined> {
    const view = await this.db.tx(async () => {
      const row = await this.db.first<{ state: string }>(
        `update platform.session set
           state = case state when 'initiated' then 'cancelled' else 'cancelling' end,
           finished_at = case state when 'initiated' then platform.now() end
         where id = $1 and state in ('initiated', 'in_progress') returning state`,
        [id],
      );
      if (!row) return this.find(id);
      if (row.state === 'cancelling') return this.announce(id);
      await this.outbox.publish(SESSION_DROPPED, 'sync.session-dropped.v1', id);
      return this.close(id);
    });
    this.notifier.poke('instep_session');
    return view;
  }

  async isCancelling(id: string): Promise<boolean> {
    const row = await this.db.first(
      `select 1 as yes from platform.session where id = $1 and state = 'cancelling'`,
      [id],
    );
    return row !== undefined;
  }

  private async close(id: string): Promise<SessionView> {
    await this.db.execute('update platform.session_entity set live = false where session_id = $1', [id]);
    return this.announce(id, true);
  }

  /** Writes the session's present into its own stream. */
  private async announce(id: string, last = false): Promise<SessionView> {
    const view = await this.find(id);
    if (!view) throw new Error(`session ${id} is gone`);
    await this.events.append(sessionStream(id), view, last);
    return view;
  }
}

const SESSION_SQL = `
select s.id as session_id, s.connection_id, s.kind, s.trigger, s.requested_by,
  (select array_agg(entity order by position) from platform.session_entity where session_id = s.id) as entities,
  s.state, s.progress, s.total::float8, ${COUNTERS.map((name) => `s.${name}::float8`).join(', ')},
  case s.state
    when 'initiated' then 'Waiting to start'
    when 'in_progress' then 'Working'
    when 'cancelling' then 'Stopping'
    when 'completed' then 'Done'
    when 'completed_with_errors' then 'Done; some records were refused, see the outcomes'
    when 'failed' then 'Stopped by an error'
    when 'aborted' then 'Stopped before its end, to go on later'
    else 'Cancelled; what was done stays'
  end as message,
  s.error, platform.iso(s.resume_after) as resume_after, platform.iso(s.created_at) as created_at,
  platform.iso(s.started_at) as started_at, platform.iso(s.finished_at) as finished_at
from platform.session s`;
