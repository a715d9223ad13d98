import { RouteConfig } from '@nestjs/platform-fastify';

/** Bodies other than JSON: a streamed file (`request.body` is the stream), or the fields of an HTML form. */
export type BodyKind = 'stream' | 'form';

/** Lets a route take such a body; all others answer 415. */
export const TakesBody = (body: BodyKind) => RouteConfig({ body });
