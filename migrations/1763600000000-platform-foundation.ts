import type { MigrationInterface, QueryRunner } from 'typeorm';

export class PlatformFoundation1763600000000 implements MigrationInterface {
  name = 'PlatformFoundation1763600000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(CLOCK);
    await runner.query(OUTBOX);
    await runner.query(SESSION);
    await runner.query(HTTP);
    await runner.query(SCHEDULE);
    await runner.query(AUDIT);
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations only run forward'));
  }
}

const CLOCK = `
create extension if not exists pg_trgm;

-- One row. The offset moves only in tests: leases and due times follow it.
create table platform.clock (
  only_row boolean primary key default true check (only_row),
  moved_by interval not null default '0'
);
insert into platform.clock default values;

create function platform.now() returns timestamptz language sql stable parallel safe
  as $$ select clock_timestamp() + moved_by from platform.clock $$;

-- One row: what makes this installation itself.
create table platform.installation (
  only_row boolean primary key default true check (only_row),
  code text not null default upper(substr(translate(encode(sha256(gen_random_uuid()::text::bytea), 'base64'), '+/=lIO01', 'XYZKMPQR'), 1, 4)),
  -- null: no first run is needed; 'pending' until its samples and first sync have ended; then 'done'.
  first_run text check (first_run in ('pending', 'done')),
  lease_seconds integer not null default 15 check (lease_seconds > 0),
  created_at timestamptz not null default now()
);
insert into platform.installation default values;

-- Timestamps leave the database as ISO 8601 in UTC.
create function platform.iso(at timestamptz) returns text language sql immutable parallel safe
  as $$ select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;
`;

const OUTBOX = `
-- Written in the transaction of the change it tells of; emptied by the sequencer.
create table platform.outbox (
  id bigint generated always as identity primary key,
  topic text not null,
  type text not null,
  aggregate_id text not null,
  -- One row for an aggregate and transaction, however many statements touched it.
  xid xid8 not null default pg_current_xact_id(),
  -- Null where a topic's own function renders it after commit.
  body text,
  context jsonb,
  sequenced boolean not null default false,
  created_at timestamptz not null default clock_timestamp(),
  unique (topic, aggregate_id, xid)
);
create index outbox_unsequenced on platform.outbox (topic, id) where not sequenced;
create index outbox_undelivered on platform.outbox (id) where sequenced;
alter table platform.outbox set (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);

create table platform.stream_head (
  stream text primary key,
  seq bigint not null
);

create table platform.event (
  stream text not null,
  seq bigint not null,
  body text not null,
  -- The terminal event: readers are told to stop after it.
  last boolean not null default false,
  created_at timestamptz not null default clock_timestamp(),
  primary key (stream, seq)
);
create index event_created_at on platform.event using brin (created_at);
`;

const SESSION = `
create table platform.session (
  id uuid primary key default gen_random_uuid(),
  connection_id uuid,
  kind text not null,
  trigger text not null check (trigger in ('manual', 'schedule', 'webhook', 'api')),
  requested_by text not null,
  -- Who asked, from where and in which request: what its work is done as, whichever worker does it.
  context jsonb not null,
  params jsonb not null default '{}',
  state text not null default 'initiated' check (state in ('initiated', 'in_progress', 'cancelling',
    'completed', 'completed_with_errors', 'failed', 'aborted', 'cancelled')),
  lease_owner text,
  lease_epoch integer not null default 0,
  lease_expires_at timestamptz,
  -- Fraction 0..1; null while unknown; never falls.
  progress double precision check (progress between 0 and 1),
  total bigint,
  processed bigint not null default 0,
  created bigint not null default 0,
  updated bigint not null default 0,
  unchanged bigint not null default 0,
  skipped bigint not null default 0,
  failed bigint not null default 0,
  conflicts bigint not null default 0,
  api_calls bigint not null default 0,
  rate_limit_hits bigint not null default 0,
  error text,
  resume_after timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  finished_at timestamptz
);
create index session_live on platform.session (lease_expires_at) where finished_at is null;
create index session_newest on platform.session (created_at desc, id desc);

-- The scope of a session, one row an entity; the checkpoint is where its next page begins.
create table platform.session_entity (
  session_id uuid not null references platform.session on delete cascade,
  entity text not null,
  position integer not null,
  connection_id uuid,
  live boolean not null default true,
  checkpoint jsonb,
  primary key (session_id, entity)
);
create unique index session_entity_one_live on platform.session_entity (connection_id, entity)
  where live and connection_id is not null;

create table platform.session_outcome (
  id bigint generated always as identity primary key,
  session_id uuid not null references platform.session on delete cascade,
  entity text not null,
  outcome text not null check (outcome in ('created', 'updated', 'skipped', 'failed', 'conflict')),
  record text,
  line bigint,
  reason text,
  created_at timestamptz not null default clock_timestamp()
);
create index session_outcome_session on platform.session_outcome (session_id, id);
create index session_outcome_rejected on platform.session_outcome (session_id, id) where outcome <> 'created';
`;

const HTTP = `
-- Answers kept so that a repeated request is answered, not done, again. The body is encrypted: it may hold a key.
create table platform.idempotency_answer (
  identity text not null,
  key text not null,
  operation text not null,
  body_hash text not null,
  status integer not null,
  body text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (identity, key)
);
create index idempotency_answer_created_at on platform.idempotency_answer (created_at);

-- The shape that rate-limiter-flexible expects.
create table platform.rate_limit (
  key varchar(255) primary key,
  points integer not null default 0,
  expire bigint
);
`;

const SCHEDULE = `
-- What runs by itself, as the code declares it; an operator may pause it, across restarts and processes.
create table platform.schedule (
  name text primary key,
  paused boolean not null default false,
  changed_at timestamptz not null default clock_timestamp()
);
`;

const AUDIT = `
create table platform.audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  actor_kind text not null,
  actor_id text,
  actor_label text not null,
  action text not null,
  subject text,
  address text,
  correlation_id text not null,
  details jsonb
);
create index audit_log_at on platform.audit_log using brin (at);
create index audit_log_action on platform.audit_log (action, id);

create function platform.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the audit log is append-only';
end $$;
create trigger audit_log_append_only before update or delete on platform.audit_log
  for each row execute function platform.refuse_change();
create trigger audit_log_no_truncate before truncate on platform.audit_log
  for each statement execute function platform.refuse_change();
`;
