import type { Role } from '#platform/http/access.js';
import { ADMIN } from './config.js';

const cache = new Map<string, Promise<string>>();

async function post(
  url: string,
  body: object,
  headers: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new Error(`${url}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

/** The administrator's access token. */
export function adminToken(url: string): Promise<string> {
  const known =
    cache.get(url) ?? post(`${url}/api/identity/login`, ADMIN).then((answer) => String(answer.access_token));
  cache.set(url, known);
  return known;
}

/** Headers of a new API key with the role; the administrator's own token for `admin`. */
export async function signInAs(url: string, role: Role): Promise<{ authorization: string }> {
  const admin = { authorization: `Bearer ${await adminToken(url)}` };
  if (role === 'admin') return admin;
  const body = { name: `test ${role}`, role, ...(role === 'terminal' && { terminal_id: 'POS-TEST' }) };
  const { key } = await post(`${url}/api/identity/api-keys`, body, admin);
  return { authorization: `Bearer ${String(key)}` };
}
