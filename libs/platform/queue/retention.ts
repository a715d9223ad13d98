/** How long the rows of a table are kept. All names are constants of the code. */
export interface Retention {
  /** `schema.table`. */
  table: string;
  /** The timestamp column that counts. */
  column: string;
  /** A PostgreSQL interval. */
  keep: string;
  /** A further SQL condition on `t`. */
  where?: string;
}

const retentions: Retention[] = [
  { table: 'platform.event', column: 'created_at', keep: '30 days', where: `t.stream like 'session-%'` },
  { table: 'platform.event', column: 'created_at', keep: '7 days', where: `t.stream not like 'session-%'` },
  { table: 'platform.session_outcome', column: 'created_at', keep: '30 days' },
  { table: 'platform.idempotency_answer', column: 'created_at', keep: '24 hours' },
  { table: 'platform.rate_limit', column: 'to_timestamp(expire / 1000.0)', keep: '1 hour' },
];

/** Declares at import time that rows older than `keep` are pruned. */
export function retain(retention: Retention): void {
  retentions.push(retention);
}

export const allRetentions = (): readonly Retention[] => retentions;
