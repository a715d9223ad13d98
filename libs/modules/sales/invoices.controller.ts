import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Patch,
  Post,
  Put,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiHeader, ApiNoContentResponse, ApiOkResponse, ApiTags, ApiCreatedResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Roles } from '#platform/http/access.js';
import { Errors } from '#platform/http/documented.js';
import { Idempotent } from '#platform/http/idempotency.js';
import { etagOf, expectedVersion } from '#platform/http/if-match.js';
import { RowId } from '#platform/http/row-id.js';
import { AddItemsBody, AddItemsCommand } from './add-items/add-items.command.js';
import { DeleteInvoiceCommand } from './delete-invoice/delete-invoice.command.js';
import { GetInvoiceQuery, type InvoiceDocument } from './get-invoice/get-invoice.query.js';
import { InvoiceView } from './invoice.dto.js';
import { InvoicePage, ListInvoicesQuery } from './list-invoices/list-invoices.query.js';
import {
  ChangeInvoiceBody,
  ReplaceInvoiceBody,
  UpdateInvoiceCommand,
} from './update-invoice/update-invoice.command.js';

const IfMatch = () =>
  ApiHeader({
    name: 'If-Match',
    required: false,
    description: 'The ETag of the version you saw; 412 when it changed',
  });

@ApiTags('sales')
@Controller('sales/invoices')
export class InvoicesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  /** All invoices with customer, salesman and lines, newest first. */
  @Roles('viewer', { openIf: (config) => config.salesPublicRead })
  @Get()
  @ApiOkResponse({ type: InvoicePage })
  @Errors(400, 401, 403, 404)
  async list(@Query() query: ListInvoicesQuery, @Res() reply: FastifyReply): Promise<void> {
    sendJson(reply, await this.queries.execute<ListInvoicesQuery, string>(query));
  }

  /** One invoice. */
  @Roles('viewer')
  @Get(':id')
  @ApiOkResponse({ type: InvoiceView })
  @Errors(400, 401, 403, 404)
  async get(@Param('id', RowId) id: string, @Res() reply: FastifyReply): Promise<void> {
    sendDocument(
      reply,
      await this.queries.execute<GetInvoiceQuery, InvoiceDocument>(new GetInvoiceQuery(id)),
    );
  }

  /** Replaces an invoice; its number stays. */
  @Roles('operator')
  @Put(':id')
  @IfMatch()
  @ApiOkResponse({ type: InvoiceView })
  @Errors(400, 401, 403, 404, 412)
  async replace(
    @Param('id', RowId) id: string,
    @Body() body: ReplaceInvoiceBody,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    sendDocument(reply, await this.run(new UpdateInvoiceCommand(id, body, expectedVersion(request), true)));
  }

  /** Changes the fields that are given. */
  @Roles('operator')
  @Patch(':id')
  @IfMatch()
  @ApiOkResponse({ type: InvoiceView })
  @Errors(400, 401, 403, 404, 412)
  async change(
    @Param('id', RowId) id: string,
    @Body() body: ChangeInvoiceBody,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    sendDocument(reply, await this.run(new UpdateInvoiceCommand(id, body, expectedVersion(request))));
  }

  /** Deletes an invoice: it leaves the lists, its number stays taken. */
  @Roles('operator')
  @Delete(':id')
  @HttpCode(204)
  @IfMatch()
  @ApiNoContentResponse()
  @Errors(400, 401, 403, 404, 412)
  async remove(@Param('id', RowId) id: string, @Req() request: FastifyRequest): Promise<void> {
    await this.commands.execute(new DeleteInvoiceCommand(id, expectedVersion(request)));
  }

  /** Adds lines to an invoice, after its last. */
  @Roles('operator')
  @Post(':id/items')
  @IfMatch()
  @Idempotent()
  @ApiCreatedResponse({ type: InvoiceView })
  @Errors(400, 401, 403, 404, 409, 412, 422)
  async addItems(
    @Param('id', RowId) id: string,
    @Body() body: AddItemsBody,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<InvoiceView> {
    const document = await this.run(new AddItemsCommand(id, body.items, expectedVersion(request)));
    void reply.header('etag', etagOf(document.version));
    return JSON.parse(document.body) as InvoiceView;
  }

  private run(command: object): Promise<InvoiceDocument> {
    return this.commands.execute<object, InvoiceDocument>(command);
  }
}

function sendJson(reply: FastifyReply, text: string): void {
  void reply.type('application/json; charset=utf-8').send(text);
}

function sendDocument(reply: FastifyReply, document: InvoiceDocument): void {
  sendJson(reply.header('etag', etagOf(document.version)), document.body);
}
