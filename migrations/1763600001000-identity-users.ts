import type { MigrationInterface, QueryRunner } from 'typeorm';

export class IdentityUsers1763600001000 implements MigrationInterface {
  name = 'IdentityUsers1763600001000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(WHO);
    await runner.query(SESSIONS);
    await runner.query(TICKETS);
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations only run forward'));
  }
}

const WHO = `
create schema identity;

create table identity."user" (
  id uuid primary key default gen_random_uuid(),
  email text not null check (email = lower(email)),
  name text not null,
  role text not null check (role in ('viewer', 'operator', 'admin')),
  password_hash text not null,
  disabled boolean not null default false,
  version integer not null default 1,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp()
);
create unique index user_email on identity."user" (email);
create index user_newest on identity."user" (created_at desc, id desc);

create table identity.api_key (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  role text not null check (role in ('viewer', 'operator', 'admin', 'terminal')),
  terminal_id text,
  -- SHA-256: a key of 32 random bytes needs no slow hash.
  key_hash bytea not null,
  -- The first characters, so that a person can tell one key from another.
  hint text not null,
  created_by text not null,
  created_at timestamptz not null default clock_timestamp(),
  last_used_at timestamptz,
  check ((role = 'terminal') = (terminal_id is not null))
);
create unique index api_key_hash on identity.api_key (key_hash);
create index api_key_newest on identity.api_key (created_at desc, id desc);
`;

const SESSIONS = `
-- One sign-in. kind 'token': a family of rotating refresh tokens; kind 'cookie': a browser.
create table identity.session (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references identity."user" on delete cascade,
  kind text not null check (kind in ('token', 'cookie')),
  -- SHA-256 of the cookie; a family's tokens are in refresh_token.
  secret_hash bytea check ((kind = 'cookie') = (secret_hash is not null)),
  address text,
  created_at timestamptz not null,
  last_used_at timestamptz not null,
  idle_for interval not null,
  expires_at timestamptz not null,
  revoked_at timestamptz
);
create unique index session_secret on identity.session (secret_hash) where secret_hash is not null;
create index session_of_user on identity.session (user_id, address, created_at);
create index session_expires_at on identity.session (expires_at);

-- Every refresh token a family ever had: one that comes back after its use was copied.
create table identity.refresh_token (
  hash bytea primary key,
  session_id uuid not null references identity.session on delete cascade,
  created_at timestamptz not null,
  used_at timestamptz
);
create index refresh_token_session on identity.refresh_token (session_id);
`;

const TICKETS = `
create table identity.stream_ticket (
  hash bytea primary key,
  path text not null,
  user_id uuid references identity."user" on delete cascade,
  api_key_id uuid references identity.api_key on delete cascade,
  session_id uuid references identity.session on delete cascade,
  created_at timestamptz not null,
  first_use_before timestamptz not null,
  used_at timestamptz,
  expires_at timestamptz not null,
  check ((user_id is null) <> (api_key_id is null))
);
create index stream_ticket_user on identity.stream_ticket (user_id);
create index stream_ticket_api_key on identity.stream_ticket (api_key_id);
create index stream_ticket_session on identity.stream_ticket (session_id);
create index stream_ticket_expires_at on identity.stream_ticket (expires_at);
`;
