import { Injectable } from '@nestjs/common';
import { currentContext } from '../observability/request-context.js';
import { Database } from '../persistence/database.js';
import { Notifier } from '../persistence/notifier.js';
import type { Topic } from './topic.js';

/** The message that something happened, committed together with what happened. */
@Injectable()
export class Outbox {
  constructor(
    private readonly db: Database,
    private readonly notifier: Notifier,
  ) {}

  /** Call inside the transaction of the change. Of two events of one aggregate and transaction the later stands. */
  async publish(topic: Topic, type: string, aggregateId: string, body: object | null = null): Promise<void> {
    await this.db.prepared(
      'outbox.publish',
      `insert into platform.outbox (topic, type, aggregate_id, body, context, sequenced) values ($1, $2, $3, $4, $5, $6)
       on conflict (topic, aggregate_id, xid) do update set type = excluded.type, body = excluded.body`,
      [
        topic.name,
        type,
        aggregateId,
        body && JSON.stringify(body),
        JSON.stringify(currentContext()),
        topic.stream === null,
      ],
    );
    this.announce();
  }

  /** For rows that triggers wrote: wakes the sequencer after commit. */
  announce(): void {
    this.notifier.poke('instep_outbox');
  }
}
