import type { JobDefinition } from '../queue/job.js';
import { defineJob } from '../queue/job.js';
import { defineTopic } from '../streams/topic.js';

export const SESSION_KINDS = [
  'full',
  'incremental',
  'deep',
  'manual',
  'push',
  'bulk',
  'import',
  'audit',
  'undo',
] as const;
export type SessionKind = (typeof SESSION_KINDS)[number];

export const SESSION_STATES = [
  'initiated',
  'in_progress',
  'cancelling',
  'completed',
  'completed_with_errors',
  'failed',
  'aborted',
  'cancelled',
] as const;
export type SessionState = (typeof SESSION_STATES)[number];
export type FinalState = Exclude<SessionState, 'initiated' | 'in_progress' | 'cancelling'>;

export const COUNTERS = [
  'processed',
  'created',
  'updated',
  'unchanged',
  'skipped',
  'failed',
  'conflicts',
  'api_calls',
  'rate_limit_hits',
] as const;
export type Counters = Record<(typeof COUNTERS)[number], number>;

/** A session as the API shows it and as its events carry it. Times are ISO 8601 in UTC. */
export interface SessionView extends Counters {
  session_id: string;
  connection_id: string | null;
  kind: SessionKind;
  trigger: 'manual' | 'schedule' | 'webhook' | 'api';
  requested_by: string;
  entities: string[];
  state: SessionState;
  /** Fraction 0..1, null while unknown; never falls. */
  progress: number | null;
  total: number | null;
  message: string;
  error: string | null;
  resume_after: string | null;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
}

export type RecordOutcome = 'created' | 'updated' | 'skipped' | 'failed' | 'conflict';

/** A new session's job: the row says everything else. */
export interface RunSessionData {
  sessionId: string;
  /** The lease epoch that the job was made for; an older one is stale. */
  epoch: number;
}

export const RUN_SESSION: JobDefinition<RunSessionData> = defineJob('sessions', 'run-session');

/** Written with a new session, so that its job is added after, and only if, the row is committed. */
export const SESSION_REQUESTED = defineTopic('sync.session-requested');

/** Written when a session ends that no worker ever held: what it needed is still to be removed. */
export const SESSION_DROPPED = defineTopic('sync.session-dropped');

export const sessionStream = (id: string) => `session-${id}`;
export const isFinal = (state: SessionState): state is FinalState =>
  state !== 'initiated' && state !== 'in_progress' && state !== 'cancelling';
