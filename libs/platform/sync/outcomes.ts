import { Injectable } from '@nestjs/common';
import { Database } from '../persistence/database.js';
import type { RecordOutcome } from './session.js';

export interface Outcome {
  id: string;
  entity: string;
  outcome: RecordOutcome;
  /** The record's own name (an invoice number, a remote id), where it has one. */
  record: string | null;
  /** Line of the file, counted from 1, for imports. */
  line: number | null;
  reason: string | null;
  created_at: string;
}

/** What became of each record of a session, kept for 30 days. */
@Injectable()
export class Outcomes {
  constructor(private readonly db: Database) {}

  /** Writes a set of outcomes in the page's transaction, in one statement. */
  async record(
    sessionId: string,
    entity: string,
    outcomes: Pick<Outcome, 'outcome' | 'record' | 'line' | 'reason'>[],
  ): Promise<void> {
    if (outcomes.length === 0) return;
    await this.db.execute(
      `insert into platform.session_outcome (session_id, entity, outcome, record, line, reason)
       select $1, $2, * from unnest($3::text[], $4::text[], $5::bigint[], $6::text[])`,
      [
        sessionId,
        entity,
        outcomes.map((o) => o.outcome),
        outcomes.map((o) => o.record),
        outcomes.map((o) => o.line),
        outcomes.map((o) => o.reason),
      ],
    );
  }

  /** In order of writing, after a given id. `rejected` is skipped, failed and conflict together. */
  async list(
    sessionId: string,
    outcome: RecordOutcome | 'rejected' | null,
    after: string,
    limit: number,
  ): Promise<Outcome[]> {
    // Constants, so that the index of what needs somebody can serve.
    const filter = { all: '', rejected: `and outcome <> 'created' and outcome <> 'updated'` };
    const one = outcome !== null && outcome !== 'rejected';
    return this.db.query<Outcome>(
      `select id, entity, outcome, record, line::float8, reason, platform.iso(created_at) as created_at
       from platform.session_outcome
       where session_id = $1 and id > $2 ${one ? 'and outcome = $4' : filter[outcome ?? 'all']}
       order by id limit $3`,
      [sessionId, after, limit, ...(one ? [outcome] : [])],
    );
  }
}
