import { applyDecorators } from '@nestjs/common';
import { ApiHeader, ApiOkResponse, ApiProduces } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { optionalIdentityOf } from './access.js';

/** Documents an `@Sse` route; without it OpenAPI shows JSON. */
export function EventStream(example: string) {
  return applyDecorators(
    ApiProduces('text/event-stream'),
    ApiHeader({
      name: 'Last-Event-ID',
      required: false,
      description: 'The last id you have; the stream goes on behind it',
    }),
    ApiOkResponse({
      description:
        'Unnamed `message` events with `id` and one JSON object as `data`; comments keep the connection alive',
      schema: { type: 'string', example: `id: stream.42\ndata: ${example}\n\n` },
    }),
  );
}

/** Whose stream it is, for cutting it when the identity is revoked; null for an anonymous reader of an open stream. */
export function readerOf(request: FastifyRequest): string | null {
  const actor = optionalIdentityOf(request)?.actor;
  return actor?.id ? `${actor.kind}:${actor.id}` : null;
}
