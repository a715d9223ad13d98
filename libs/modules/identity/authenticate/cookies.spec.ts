import type { FastifyReply } from 'fastify';
import { Config } from '#platform/config/config.js';
import { Cookies } from './cookies.js';

const cookiesFor = (PUBLIC_URL: string) =>
  new Cookies(
    Config.from({
      PUBLIC_URL,
      DATABASE_URL: 'postgres://none',
      ENCRYPTION_KEYS: `k:${'0'.repeat(64)}`,
      JWT_SECRET: 's'.repeat(32),
    }),
  );

it.each([
  ['https://books.example', true],
  ['http://localhost:3001', false],
])('of %s are secure: %s', (url, secure) => {
  const set: Record<string, object> = {};
  const reply = { setCookie: (name: string, _value: string, options: object) => (set[name] = options) };
  cookiesFor(url).set(reply as unknown as FastifyReply, 'secret');
  const common = { path: '/', sameSite: 'lax', secure, maxAge: 7 * 24 * 3600 };
  expect(set).toEqual({
    instep_session: { ...common, httpOnly: true },
    instep_csrf: { ...common, httpOnly: false },
  });
});

it('the CSRF token belongs to one session and tells nothing of it', () => {
  const cookies = cookiesFor('http://localhost');
  expect(cookies.csrfOf('a')).toBe(cookies.csrfOf('a'));
  expect(cookies.csrfOf('a')).not.toBe(cookies.csrfOf('b'));
  expect(cookies.csrfOf('a')).toMatch(/^[A-Za-z0-9_-]{43}$/);
});
