import { DocumentBuilder, type OpenAPIObject, SwaggerModule, getSchemaPath } from '@nestjs/swagger';
import { ProblemBody } from './documented.js';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';

const DESCRIPTION = `Keeps a small business's systems in step: accounting, CRM, sales invoices and points of sale.

**To try requests here**, [sign in](/sign-in?next=/docs) first: the page then sends your session with every request.
Programs use \`POST /api/identity/login\` and send \`Authorization: Bearer <access_token>\`, or an API key as \`X-API-Key\`.

Errors are \`application/problem+json\` with a stable \`code\`; \`errors\` names the fields. Trailing slashes are optional.`;

/** The OpenAPI document of the built application; the same for \`/docs-json\` and the committed \`openapi.json\`. */
export function openApiDocument(app: NestFastifyApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Instep')
    .setDescription(DESCRIPTION)
    .setVersion('0.1.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT or API key' }, 'bearer')
    .addApiKey({ type: 'apiKey', in: 'header', name: 'X-API-Key' }, 'api_key')
    .addCookieAuth('instep_session', { type: 'apiKey', in: 'cookie', name: 'instep_session' }, 'session')
    .build();
  const document = SwaggerModule.createDocument(app, config, {
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}_${method}`,
    extraModels: [ProblemBody],
  });
  for (const item of Object.values(document.paths)) {
    for (const operation of Object.values(item) as Operation[]) complete(operation);
  }
  return document;
}

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;

/** Every error has the one shape, and a route of several paths a name for each that programs can use. */
function complete(operation: Operation): void {
  operation.operationId = operation.operationId?.replace(/\[(\d+)\]$/, '_$1');
  for (const [status, response] of Object.entries(operation.responses)) {
    if (Number(status) < 400 || !response || '$ref' in response || response.content) continue;
    response.content = { 'application/problem+json': { schema: { $ref: getSchemaPath(ProblemBody) } } };
  }
}

/**
 * Swagger UI at /docs. Its requests carry the CSRF token of a signed-in browser.
 * @param page false leaves the page out and serves /docs-json only
 */
export function mountDocs(app: NestFastifyApplication, page: boolean): void {
  SwaggerModule.setup('docs', app, () => openApiDocument(app), {
    jsonDocumentUrl: 'docs-json',
    ui: page,
    raw: ['json'],
    customSiteTitle: 'Instep API',
    swaggerOptions: {
      persistAuthorization: false,
      tagsSorter: 'alpha',
      requestInterceptor: (request: { headers: Record<string, string>; method?: string }) => {
        const csrf = /(?:^|; )instep_csrf=([^;]+)/.exec(document.cookie)?.[1];
        if (csrf) request.headers['X-CSRF-Token'] = decodeURIComponent(csrf);
        return request;
      },
    },
  });
}

/** The interceptor above is sent to the browser as text; this is all it needs of one. */
declare const document: { cookie: string };
