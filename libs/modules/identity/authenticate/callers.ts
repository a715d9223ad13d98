import { Injectable } from '@nestjs/common';
import type { Role } from '#platform/http/access.js';
import { Database } from '#platform/persistence/database.js';
import { hashOf } from '../secrets.js';
import type { Caller } from './caller.js';

interface SessionRow {
  user_id: string;
  email: string;
  role: Role;
  session_id: string;
  stale: boolean;
}

interface KeyRow {
  id: string;
  name: string;
  role: Role;
  terminal_id: string | null;
  stale: boolean;
}

interface TicketRow {
  session_id: string | null;
  api_key_id: string | null;
}

const SESSION = `
  select u.id as user_id, u.email, u.role, s.id as session_id,
    s.kind = 'cookie' and s.last_used_at < now - interval '1 minute' as stale
  from (select platform.now() as now) clock, identity.session s join identity."user" u on u.id = s.user_id
  where s.revoked_at is null and not u.disabled and s.expires_at > now and s.last_used_at + s.idle_for > now`;

const KEY = `
  select id, name, role, terminal_id,
    coalesce(last_used_at < clock_timestamp() - interval '5 minutes', true) as stale
  from identity.api_key`;

/** Who a proven credential stands for at this moment, as the database has it. */
@Injectable()
export class Callers {
  constructor(private readonly db: Database) {}

  async bySession(sessionId: string, via: Caller['via']): Promise<Caller | null> {
    const rows = await this.db.prepared<SessionRow>('identity.session_by_id', `${SESSION} and s.id = $1`, [
      sessionId,
    ]);
    return this.person(rows[0], via);
  }

  /** Using a cookie keeps its session from going idle. */
  async byCookie(secret: string): Promise<Caller | null> {
    const [row] = await this.db.prepared<SessionRow>(
      'identity.session_by_secret',
      `${SESSION} and s.kind = 'cookie' and s.secret_hash = $1`,
      [hashOf(secret)],
    );
    if (row?.stale) {
      await this.db.execute('update identity.session set last_used_at = platform.now() where id = $1', [
        row.session_id,
      ]);
    }
    return this.person(row, 'cookie');
  }

  async byKey(key: string): Promise<Caller | null> {
    const [row] = await this.db.prepared<KeyRow>('identity.key_by_hash', `${KEY} where key_hash = $1`, [
      hashOf(key),
    ]);
    if (row?.stale) {
      await this.db.execute('update identity.api_key set last_used_at = clock_timestamp() where id = $1', [
        row.id,
      ]);
    }
    return this.machine(row, 'api_key');
  }

  /**
   * The first use must come early and marks the ticket; from then on it opens the same path again.
   * @param path without query and trailing slashes
   */
  async byTicket(ticket: string, path: string): Promise<Caller | null> {
    const [row] = await this.db.prepared<TicketRow>(
      'identity.use_ticket',
      `update identity.stream_ticket set used_at = coalesce(used_at, platform.now())
       where hash = $1 and path = $2 and expires_at > platform.now()
         and (used_at is not null or first_use_before > platform.now())
       returning session_id, api_key_id`,
      [hashOf(ticket), path],
    );
    if (row?.session_id) return this.bySession(row.session_id, 'ticket');
    if (!row?.api_key_id) return null;
    const keys = await this.db.prepared<KeyRow>('identity.key_by_id', `${KEY} where id = $1`, [
      row.api_key_id,
    ]);
    return this.machine(keys[0], 'ticket');
  }

  private person(row: SessionRow | undefined, via: Caller['via']): Caller | null {
    if (!row) return null;
    const actor = Object.freeze({ kind: 'user' as const, id: row.user_id, label: row.email });
    return Object.freeze({ actor, role: row.role, terminalId: null, via, sessionId: row.session_id });
  }

  private machine(row: KeyRow | undefined, via: Caller['via']): Caller | null {
    if (!row) return null;
    const actor = Object.freeze({ kind: 'api_key' as const, id: row.id, label: row.name });
    return Object.freeze({ actor, role: row.role, terminalId: row.terminal_id, via, sessionId: null });
  }
}
