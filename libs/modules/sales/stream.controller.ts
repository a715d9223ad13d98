import { Controller, type MessageEvent, Req, Res, Sse } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Observable } from 'rxjs';
import { Roles } from '#platform/http/access.js';
import { Errors } from '#platform/http/documented.js';
import { EventStream, readerOf } from '#platform/http/event-stream.js';
import { parseEventId } from '#platform/streams/event-id.js';
import { StreamHub } from '#platform/streams/stream-hub.js';
import { INVOICE_TOPIC } from './contract.js';

const STREAM = INVOICE_TOPIC.stream ?? '';

@ApiTags('sales')
@Controller('sales/sse')
export class InvoiceStreamController {
  constructor(private readonly hub: StreamHub) {}

  /**
   * Every invoice as it is imported, changed or deleted: the invoice and `type` (`invoice_imported`,
   * `invoice_updated`, `invoice_deleted`). Begins at the present; `Last-Event-ID` replays what was missed.
   */
  @Roles('viewer', { openIf: (config) => config.salesPublicRead })
  @Sse('invoices')
  @EventStream(
    '{"id":31,"invoice_no":"INV-77052","total_amount":920.00,"items":[],"type":"invoice_imported"}',
  )
  @Errors(401, 403)
  stream(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Observable<MessageEvent> {
    const id = parseEventId(request.headers['last-event-id']);
    return this.hub.attach(reply.raw, {
      stream: STREAM,
      after: id?.stream === STREAM ? id.seq : null,
      owner: readerOf(request),
    });
  }
}
