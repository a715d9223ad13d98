import { existsSync, readFileSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import { ADMIN } from '#testing/config.js';
import { type TestDatabase, createTestDatabase } from '#testing/database.js';
import { type BuiltProcess, startBuilt } from './platform-process.js';

interface Schema {
  $ref?: string;
  type?: string;
  oneOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  example?: unknown;
}
interface Operation {
  summary?: string;
  'x-roles'?: string[];
  tags?: string[];
  operationId: string;
  parameters?: { name: string; in: string; schema?: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { description?: string; content?: Record<string, { schema?: Schema }> }>;
}
interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; securitySchemes: Record<string, object> };
}

/** The built API: Swagger UI cannot be loaded by Jest. */
let database: TestDatabase;
let api: BuiltProcess;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startBuilt('api', database.url);
});
afterAll(async () => {
  await api.stop();
  await database.drop();
});

const get = (path: string) => fetch(api.url + path, { redirect: 'manual' });

describe('the page', () => {
  it('is the front page', async () => {
    const { status, headers } = await get('/');
    expect([status, headers.get('location')]).toEqual([302, '/docs']);
  });

  it.each(['/docs', '/docs/'])('%s loads, with all its assets, from here', async (path) => {
    const page = await get(path);
    const target =
      page.status === 302 || page.status === 301 ? await get(page.headers.get('location') ?? '') : page;
    expect(target.status).toBe(200);
    const html = await target.text();
    expect(html).toContain('Instep API');
    const assets = [...html.matchAll(/(?:src|href)="([^"]+\.(?:js|css|png))"/g)].map(
      (match) => match[1] ?? '',
    );
    expect(assets.length).toBeGreaterThanOrEqual(4);
    for (const asset of assets) {
      const answer = await get(new URL(asset, `${api.url}${path}`).pathname);
      expect({ asset, status: answer.status }).toEqual({ asset, status: 200 });
      expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(100);
    }
  });

  it('has no script in the page itself, which our policy would stop', async () => {
    const page = await get('/docs');
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain(`script-src 'self'`);
    expect(policy).not.toContain('unsafe-eval');
    expect([...(await page.text()).matchAll(/<script(?![^>]*\ssrc=)[^>]*>\s*\S/g)]).toEqual([]);
  });

  const chromiumPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
    existsSync,
  );
  (chromiumPath ? describe : describe.skip)('in a browser', () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await chromium.launch({
        ...(chromiumPath && { executablePath: chromiumPath }),
        args: ['--no-sandbox'],
      });
    });
    afterAll(() => browser.close());

    it('shows every tag without a complaint, and lets a signed-in operator try a request', async () => {
      const page = await (await browser.newContext()).newPage();
      const complaints: string[] = [];
      page.on('console', (message) => {
        if (message.type() === 'error' && !/favicon/.test(message.location().url))
          complaints.push(message.text());
      });
      page.on('pageerror', (error) => complaints.push(error.message));
      await page.goto(`${api.url}/sign-in?next=/docs`);
      await page.getByLabel('E-mail address').fill(ADMIN.email);
      await page.getByLabel('Password').fill(ADMIN.password);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.waitForSelector('.opblock-tag');
      expect(await page.locator('.opblock-tag').count()).toBeGreaterThanOrEqual(4);
      const operation = page.locator('#operations-sales-Import_one');
      await operation.locator('.opblock-summary').click();
      await operation.getByRole('button', { name: 'Try it out' }).click();
      await operation.getByRole('button', { name: 'Execute' }).click();
      const status = operation.locator('.live-responses-table .response-col_status').last();
      await status.waitFor();
      expect(await status.innerText()).toContain('201');
      expect(complaints).toEqual([]);
    });
  });
});

describe('the document', () => {
  const document = JSON.parse(readFileSync('openapi.json', 'utf8')) as Document;
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
  );
  /** Pages answer people, in HTML. */
  const isPage = ({ tags }: Operation) => tags?.join() === 'pages';
  const wrong = (check: (operation: Operation, name: string) => boolean) =>
    operations.filter(([name, operation]) => !check(operation, name)).map(([name]) => name);
  const success = (operation: Operation) =>
    Object.entries(operation.responses).filter(([status]) => status < '400');
  const schemas = (content: Record<string, { schema?: Schema }> = {}) =>
    Object.values(content).map((body) => body.schema);

  it('that is served is the one that is committed', async () => {
    const answer = await get('/docs-json');
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual(document);
  });

  it('has every operation of sales, sessions and health', () => {
    const names = operations.map(([name]) => name.replace(/\/$/, ''));
    for (const name of [
      'GET /api/sales/invoices',
      'POST /api/sales/import/invoice',
      'POST /api/sales/import/invoices',
      'GET /api/sales/sse/invoices',
      'GET /api/sessions/{id}/stream',
      'GET /health/ready',
      'GET /metrics',
    ])
      expect(names).toContain(name);
  });

  it('says of every operation in a sentence what it does, and under which tag', () => {
    expect(wrong(({ summary }) => (summary ?? '').length >= 5)).toEqual([]);
    expect(wrong(({ tags }) => tags?.length === 1)).toEqual([]);
  });

  it('says of every operation who may call it', () => {
    expect(wrong((operation) => (operation['x-roles'] ?? []).length > 0)).toEqual([]);
  });

  it('names every operation once', () => {
    const ids = operations.map(([, operation]) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => !/^\w+$/.test(id))).toEqual([]);
  });

  it('shows what every operation answers when all is well', () => {
    expect(wrong((operation) => success(operation).length > 0)).toEqual([]);
    expect(
      wrong((operation) =>
        success(operation).every(
          ([status, { content }]) =>
            ['204', '302', '303'].includes(status) ||
            schemas(content).some((schema) => schema && Object.keys(schema).length > 0),
        ),
      ),
    ).toEqual([]);
  });

  it('shows every error as a problem', () => {
    const isProblem = (content: Operation['responses'][string]['content']) =>
      content?.['application/problem+json']?.schema?.$ref === '#/components/schemas/ProblemBody';
    expect(
      wrong(
        (operation) =>
          isPage(operation) ||
          Object.entries(operation.responses).every(
            ([status, { content }]) => !/^4/.test(status) || isProblem(content),
          ),
      ),
    ).toEqual([]);
  });

  it('says of every guarded operation that it may answer 401 and 403, of every id 404, of every body 400', () => {
    const guarded = (operation: Operation) => operation['x-roles']?.join() !== 'public' && !isPage(operation);
    const has = (operation: Operation, status: string) => status in operation.responses;
    expect(wrong((operation) => !guarded(operation) || has(operation, '401'))).toEqual([]);
    const everyone = ['viewer', 'operator', 'admin', 'terminal'];
    expect(
      wrong(
        (operation) =>
          !guarded(operation) ||
          everyone.every((role) => operation['x-roles']?.includes(role)) ||
          has(operation, '403'),
      ),
    ).toEqual([]);
    expect(wrong((operation, name) => !/\{id\}/.test(name) || has(operation, '404'))).toEqual([]);
    expect(wrong((operation) => !operation.requestBody || has(operation, '400'))).toEqual([]);
    expect(
      wrong(
        (operation) =>
          isPage(operation) || !operation.parameters?.some((p) => p.in === 'query') || has(operation, '400'),
      ),
    ).toEqual([]);
  });

  it('refers only to what is there', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
      (match) => match[1] ?? '',
    );
    expect(references.filter((name) => !(name in document.components.schemas))).toEqual([]);
  });

  it('gives every field a type', () => {
    const typed = (schema: Schema) =>
      Boolean(schema.type ?? schema.$ref ?? schema.oneOf ?? ('allOf' in schema || 'anyOf' in schema));
    const vague = Object.entries(document.components.schemas).flatMap(([name, schema]) =>
      Object.entries(schema.properties ?? {}).flatMap(([field, property]) =>
        typed(property) ? [] : [`${name}.${field}`],
      ),
    );
    expect(vague).toEqual([]);
  });

  it('gives examples that fit their types', () => {
    const unfit = Object.entries(document.components.schemas).flatMap(([name, schema]) =>
      Object.entries(schema.properties ?? {}).flatMap(([field, { type, example }]) => {
        const given = Array.isArray(example) ? 'array' : typeof example;
        return example === undefined || example === null || !type || given === type
          ? []
          : [`${name}.${field}: ${JSON.stringify(example)}`];
      }),
    );
    expect(unfit).toEqual([]);
  });

  it('carries no secret in its examples', () => {
    const secret = /correct horse|eyJ[\w-]{10,}\.eyJ|[0-9a-f]{64}/;
    expect(secret.exec(JSON.stringify(document))?.[0]).toBeUndefined();
  });
});
