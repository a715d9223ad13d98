import { Body, Controller, Header, Post, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { Roles } from '#platform/http/access.js';
import { Idempotent } from '#platform/http/idempotency.js';
import { callerOf } from './authenticate/caller.js';
import {
  IssueStreamTicketCommand,
  StreamTicket,
  StreamTicketRequest,
} from './issue-stream-ticket/issue-stream-ticket.command.js';

@ApiTags('identity')
@Controller('identity/stream-ticket')
export class StreamTicketsController {
  constructor(private readonly commands: CommandBus) {}

  /**
   * Get a ticket for a stream
   *
   * @remarks For `EventSource`, which cannot send headers: add it to the stream's URL as `?ticket=`. It opens this one path with the caller's role, first within 30 seconds, then again (a browser reconnects with the same URL) for 8 hours, until the caller signs out or is revoked.
   * @throws {400} The path is not that of a stream (`request.invalid`)
   * @throws {401} No identity, or not a valid one (`access.unauthenticated`, `access.invalid_token`)
   * @throws {403} A cookie came without its CSRF token (`access.csrf`)
   * @throws {409} A request with this Idempotency-Key is in flight (`idempotency.in_flight`)
   * @throws {422} The Idempotency-Key was used for another request (`idempotency.key_reused`)
   */
  @Post()
  @Header('cache-control', 'no-store')
  @Roles('viewer', { also: ['terminal'] })
  @Idempotent()
  issue(@Req() request: FastifyRequest, @Body() body: StreamTicketRequest): Promise<StreamTicket> {
    return this.commands.execute(new IssueStreamTicketCommand(callerOf(request), body));
  }
}
