import { Injectable } from '@nestjs/common';
import { Database } from '../persistence/database.js';
import { Notifier } from '../persistence/notifier.js';

export interface LoggedEvent {
  stream: string;
  seq: number;
  body: string;
  last: boolean;
}

/** Numbered events of every stream, gap-free from 1, kept for a while so that readers can resume. */
@Injectable()
export class EventLog {
  constructor(
    private readonly db: Database,
    private readonly notifier: Notifier,
  ) {}

  /**
   * Appends to a stream that has one writer at a time (a session's own), in the writer's transaction.
   * @param last the stream's terminal event
   */
  async append(stream: string, body: object, last = false): Promise<void> {
    await this.db.prepared(
      'event-log.append',
      `with head as (
         insert into platform.stream_head as h (stream, seq) values ($1, 1)
         on conflict (stream) do update set seq = h.seq + 1 returning seq)
       insert into platform.event (stream, seq, body, last) select $1, seq, $2, $3 from head`,
      [stream, JSON.stringify(body), last],
    );
    this.notifier.poke('instep_event');
  }

  /** The newest number of a stream and the oldest that is still kept; zeros for a stream without events. */
  async extent(stream: string): Promise<{ head: number; oldest: number }> {
    const row = await this.db.first<{ head: string; oldest: string | null }>(
      `select coalesce((select seq from platform.stream_head where stream = $1), 0) as head,
              (select min(seq) from platform.event where stream = $1) as oldest`,
      [stream],
    );
    const head = Number(row?.head ?? 0);
    return { head, oldest: row?.oldest ? Number(row.oldest) : head + 1 };
  }

  /** Events after the given numbers, at most `limit` a stream, in order. */
  async after(positions: ReadonlyMap<string, number>, limit: number): Promise<LoggedEvent[]> {
    const rows = await this.db.prepared<{ stream: string; seq: string; body: string; last: boolean }>(
      'event-log.after',
      `select e.stream, e.seq, e.body, e.last
       from unnest($1::text[], $2::bigint[]) as s (stream, seq)
       cross join lateral (select * from platform.event e where e.stream = s.stream and e.seq > s.seq
                           order by e.seq limit $3) e
       order by e.stream, e.seq`,
      [[...positions.keys()], [...positions.values()], limit],
    );
    return rows.map((row) => ({ ...row, seq: Number(row.seq) }));
  }
}
