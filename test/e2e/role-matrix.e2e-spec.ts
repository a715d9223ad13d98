import { type TestApi, startApi } from '#testing/app.js';
import { type Http, http } from './identity-http.js';
import { type Person, firstAdmin } from './identity-people.js';

const ROLES = ['anonymous', 'viewer', 'operator', 'admin', 'terminal'] as const;
type RoleName = (typeof ROLES)[number];

/** DESIGN 6: what everyone may reach. Those that do not exist yet are not missed; no other may be there. */
const PUBLIC = [
  '/',
  '/health',
  '/health/live',
  '/health/ready',
  '/api/health',
  '/sign-in',
  '/api/identity/login',
  '/api/identity/refresh',
  '/api/xero/webhook',
  '/api/crm/webhook/{channel}',
  '/api/xero/callback',
  '/api/auth/callback',
];

interface Operation {
  method: string;
  path: string;
  roles: string[] | undefined;
}

let api: TestApi;
let ask: Http;
let operations: Operation[];
const credentials = new Map<RoleName, Record<string, string>>();

beforeAll(async () => {
  api = await startApi();
  ask = http(api.url);
  const admin = await firstAdmin(ask, api.config);
  for (const role of ROLES) credentials.set(role, role === 'anonymous' ? {} : await keyOf(admin, role));
  const { body } = await ask('GET', '/docs-json');
  const paths = body.paths as Record<string, Record<string, { 'x-roles'?: string[] }>>;
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path: path.length > 1 ? path.replace(/\/$/, '') : path,
      roles: operation['x-roles'],
    })),
  );
});
afterAll(() => api.close());

/** Keys, not sign-ins: the matrix also calls sign-out. */
async function keyOf(admin: Person, role: string): Promise<Record<string, string>> {
  const body = { name: role, role, ...(role === 'terminal' && { terminal_id: 'POS-001' }) };
  const headers = { authorization: `Bearer ${admin.access}` };
  const made = await ask('POST', '/api/identity/api-keys', { body, headers });
  return { 'x-api-key': String(made.body.key) };
}

/** What happens to a role at a route, with ids of nothing and an empty body. Streams are left after their headers. */
async function knock({ method, path }: Operation, role: RoleName): Promise<'in' | 'who' | 'no'> {
  const abort = new AbortController();
  const hasBody = ['POST', 'PUT', 'PATCH'].includes(method);
  const response = await fetch(api.url + path.replace(/\{[^}]+\}/g, '00000000-0000-4000-8000-000000000000'), {
    method,
    redirect: 'manual',
    signal: abort.signal,
    headers: { ...credentials.get(role), ...(hasBody && { 'content-type': 'application/json' }) },
    body: hasBody ? '{}' : undefined,
  });
  const location = response.headers.get('location') ?? '';
  const isProblem = /problem\+json/.test(response.headers.get('content-type') ?? '');
  const code = isProblem ? ((await response.json()) as { code: string }).code : '';
  abort.abort();
  if (response.status === 302 && location.startsWith('/sign-in')) return 'who';
  if (response.status === 401 && code.startsWith('access.')) return 'who';
  return response.status === 403 && code.startsWith('access.') ? 'no' : 'in';
}

const nameOf = ({ method, path }: Operation) => `${method} ${path}`;

it('every operation says who may call it', () => {
  expect(operations.length).toBeGreaterThan(10);
  expect(operations.filter(({ roles }) => !roles || roles.length === 0).map(nameOf)).toEqual([]);
});

it('exactly the listed routes are public', () => {
  const isPublic = (operation: Operation) => operation.roles?.join() === 'public';
  const listed = operations.filter(({ path }) => PUBLIC.includes(path));
  expect(operations.filter(isPublic).map(nameOf).sort()).toEqual(listed.map(nameOf).sort());
  expect(operations.filter((o) => o.roles?.includes('public') && !isPublic(o)).map(nameOf)).toEqual([]);
});

// Swagger UI itself (/docs) is not mounted under Jest.
it.each(['/', '/docs-json', '/sign-in', '/health'])('%s answers everyone', async (path) => {
  const { status, headers } = await ask('GET', path);
  expect([200, 302]).toContain(status);
  expect(headers.get('location') ?? '').not.toContain('sign-in');
});

it('the terminal role reaches the points of sale and stream tickets only', () => {
  const reached = operations.filter(({ roles }) => roles?.includes('terminal')).map(({ path }) => path);
  expect(reached.filter((path) => !path.startsWith('/api/pos/'))).toEqual(['/api/identity/stream-ticket']);
});

it('each role reaches what names it, and nothing else', async () => {
  const wrong: string[] = [];
  let cells = 0;
  for (const operation of operations.filter(({ roles }) => roles?.join() !== 'public')) {
    for (const role of ROLES) {
      const expected = role === 'anonymous' ? 'who' : operation.roles?.includes(role) ? 'in' : 'no';
      const seen = await knock(operation, role);
      if (seen !== expected) wrong.push(`${nameOf(operation)} as ${role}: ${seen}, not ${expected}`);
      cells++;
    }
  }
  expect(wrong).toEqual([]);
  expect(cells).toBeGreaterThan(50);
});

it('a route that does not exist is 404 for everyone, whatever they carry', async () => {
  for (const role of ROLES) {
    const { status } = await ask('GET', '/api/no-such-route', { headers: credentials.get(role) });
    expect(status).toBe(404);
  }
});
