import { setTimeout as sleep } from 'node:timers/promises';
import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type BeforeApplicationShutdown,
} from '@nestjs/common';
import { Client } from 'pg';
import type { Logger } from 'pino';
import { Config } from '../config/config.js';
import { LOGGER } from '../observability/observability.module.js';
import type { RequestContext } from '../observability/request-context.js';
import { Database } from '../persistence/database.js';
import { LOCKS } from '../persistence/locks.js';
import { Notifier } from '../persistence/notifier.js';
import { answering } from '../queue/answering.js';
import { JobQueue } from '../queue/job-queue.js';
import { type DomainEvent, type Topic, streamTopics, subscribersOf } from './topic.js';

const BATCH = 1000;
/**
 * Commits that follow closely are numbered together: the more there were, the longer the next round gathers, since a
 * round costs about the same for one event as for fifty.
 */
const GATHER_MS = { least: 5, perEvent: 2, most: 25 };
/** The net beneath the notices. */
const POLL_MS = 1000;

/**
 * Moves committed outbox rows into the event log, numbered without gaps, and hands domain events to the queue.
 * One at a time over all workers: whoever holds the advisory lock; its connection does all the work, so losing
 * the lock and losing the ability to write are the same event. Rows are claimed by row locks and removed, never by
 * a high-water mark, because a lower id may commit after a higher one.
 */
@Injectable()
export class Sequencer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private stopped = false;
  private wake: () => void = () => undefined;
  private client: Client | undefined;
  private running: Promise<void> | undefined;
  private delivering: Promise<void> | undefined;

  constructor(
    private readonly config: Config,
    private readonly notifier: Notifier,
    private readonly queue: JobQueue,
    private readonly db: Database,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.notifier.listen('instep_outbox', () => this.wake());
    this.running = this.run();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    this.wake();
    // A waiting second sequencer sits in pg_advisory_lock: only ending its connection gets it out.
    const giveUp = setTimeout(() => void this.client?.end().catch(() => undefined), 2000);
    await this.running;
    clearTimeout(giveUp);
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      const client = new Client({
        connectionString: this.config.databaseUrl,
        application_name: 'instep-sequencer',
        keepAlive: true,
      });
      client.on('error', () => undefined);
      try {
        await client.connect();
        this.client = client;
        if (!(await this.lead(client))) continue;
        this.logger.info('this worker sequences events now');
        await this.work(client);
      } catch (error) {
        if (!this.stopped)
          this.logger.warn({ err: error }, 'the sequencer lost its connection; starting again');
        await sleep(this.stopped ? 0 : 300);
      } finally {
        await client.end().catch(() => undefined);
      }
    }
  }

  /** Waits for the lock in short steps, so that a shutdown is not held up. */
  private async lead(client: Client): Promise<boolean> {
    while (!this.stopped) {
      await client.query(`set lock_timeout = '1s'`);
      try {
        await client.query('select pg_advisory_lock($1)', [LOCKS.sequencer]);
        await client.query(`set lock_timeout = '0'`);
        return true;
      } catch (error) {
        if ((error as { code?: string }).code !== '55P03') throw error;
        await client.query(DEPOSE, [LOCKS.sequencer]);
      }
    }
    return false;
  }

  private async work(client: Client): Promise<void> {
    while (!this.stopped) {
      const woken = new Promise<void>((resolve) => (this.wake = resolve));
      const counts = [];
      for (const topic of streamTopics()) counts.push(await this.sequence(client, topic));
      this.deliver();
      const busiest = Math.max(...counts);
      if (busiest === BATCH) continue;
      const timer = new AbortController();
      await Promise.race([woken, sleep(POLL_MS, undefined, { signal: timer.signal }).catch(() => undefined)]);
      timer.abort();
      const gather = Math.min(GATHER_MS.least + GATHER_MS.perEvent * busiest, GATHER_MS.most);
      if (!this.stopped) await sleep(gather);
    }
  }

  /** One statement: claim, number, render, append, remove. All or nothing, whatever dies. */
  private async sequence(client: Client, topic: Topic): Promise<number> {
    const result = await client.query<{ count: string }>({
      name: `sequence ${topic.name}`,
      text: sequenceSql(topic),
      values: [topic.name, topic.stream, BATCH, subscribersOf(topic.name).length > 0],
    });
    return Number(result.rows[0]?.count ?? 0);
  }

  /** Beside the numbering, which must not wait for a queue that is away. */
  private deliver(): void {
    this.delivering ??= this.handOver()
      .catch((error: unknown) => this.logger.warn({ err: error }, 'events wait for the queue'))
      .finally(() => (this.delivering = undefined));
  }

  /** Adds the jobs first and removes the rows after: a crash between repeats a job, with the same id. */
  private async handOver(): Promise<void> {
    while (!this.stopped) {
      const rows = await this.db.prepared<OutboxRow & Record<string, unknown>>(
        'sequencer.undelivered',
        `select id, topic, type, aggregate_id, body, context from platform.outbox where sequenced
         order by id limit ${BATCH}`,
        [],
      );
      if (rows.length === 0) return;
      await answering(this.queue.addBulk(rows.flatMap(jobsOf)));
      await this.db.execute('delete from platform.outbox where id = any($1)', [rows.map((row) => row.id)]);
    }
  }
}

/** A leader asks the server something every second; one that has not for ten is frozen or cut off with its machine. */
const DEPOSE = `
select pg_terminate_backend(a.pid) from pg_locks l join pg_stat_activity a using (pid)
where l.locktype = 'advisory' and l.granted and l.classid = 0 and l.objid = $1 and l.objsubid = 1
  and l.database = (select oid from pg_database where datname = current_database())
  and a.state <> 'active' and a.state_change < clock_timestamp() - interval '10 seconds'`;

interface OutboxRow {
  id: string;
  topic: string;
  type: string;
  aggregate_id: string;
  body: string | null;
  context: RequestContext | null;
}

function jobsOf(row: OutboxRow) {
  const event: DomainEvent = {
    id: row.id,
    topic: row.topic,
    type: row.type,
    aggregateId: row.aggregate_id,
    body: row.body === null ? null : (JSON.parse(row.body) as unknown),
  };
  const context = row.context ?? undefined;
  return subscribersOf(row.topic).map(({ job }) => ({
    job,
    data: event,
    id: `${job.name}-${row.id}`,
    ...(context && { context }),
  }));
}

/** `render` is a constant of the code, checked when the topic was defined. */
const sequenceSql = ({ render }: Topic) => `
with claimed as materialized (
  select id, type, aggregate_id, body, row_number() over (order by id) as position from platform.outbox
  where id = any (array(select id from platform.outbox where topic = $1 and not sequenced
                        order by id limit $3 for update skip locked))),
rendered as (
  select * from ${
    render
      ? `${render}((select array_agg(aggregate_id order by position) from claimed), (select array_agg(type order by position) from claimed))`
      : '(select null::bigint, null::text limit 0)'
  } as r (position, body)),
head as (
  insert into platform.stream_head as h (stream, seq) select $2, count(*) from claimed having count(*) > 0
  on conflict (stream) do update set seq = h.seq + excluded.seq returning seq),
logged as (
  insert into platform.event (stream, seq, body)
  select $2, head.seq - (select count(*) from claimed) + claimed.position, coalesce(claimed.body, rendered.body, '{}')
  from claimed cross join head left join rendered using (position)),
removed as (delete from platform.outbox where id in (select id from claimed) and not $4),
kept as (update platform.outbox set sequenced = true where id in (select id from claimed) and $4)
select count(*), case when count(*) > 0 then pg_notify('instep_event', '') end from claimed`;
