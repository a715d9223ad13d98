import type { Config } from '#platform/config/config.js';
import { type Http, bearer } from './identity-http.js';

export const PASSWORD = 'a long enough password';

export interface Person {
  id: string;
  email: string;
  access: string;
  refresh: string;
}

export async function logIn(ask: Http, email: string, password = PASSWORD): Promise<Person> {
  const { status, body } = await ask('POST', '/api/identity/login', { body: { email, password } });
  if (status !== 200) throw new Error(`login of ${email}: ${status} ${JSON.stringify(body)}`);
  const me = await ask('GET', '/api/identity/me', { headers: bearer(body.access_token) });
  return {
    id: String(me.body.id),
    email,
    access: String(body.access_token),
    refresh: String(body.refresh_token),
  };
}

/** The administrator that the configuration named: made at the start, not by a test. */
export async function firstAdmin(ask: Http, config: Config): Promise<Person> {
  if (!config.admin) throw new Error('the test configuration has no administrator');
  return logIn(ask, config.admin.email, config.admin.password);
}

let count = 0;

/** A new person with this role, signed in. */
export async function person(ask: Http, admin: Person, role: string): Promise<Person> {
  const email = `${role}-${++count}@example.com`;
  const body = { email, role, name: `The ${role}`, password: PASSWORD };
  const made = await ask('POST', '/api/identity/users', { body, headers: bearer(admin.access) });
  if (made.status !== 201) throw new Error(`${made.status} ${made.text}`);
  return logIn(ask, email);
}

/** The audit log's newest entries with this action. */
export async function audited(ask: Http, admin: Person, action: string) {
  const { body } = await ask('GET', `/api/identity/audit?action=${action}`, {
    headers: bearer(admin.access),
  });
  return body.data as { subject: string; actor_id: string | null; details: Record<string, unknown> }[];
}
