import type { Readable } from 'node:stream';
import { Body, Controller, HttpCode, Post, Query, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import {
  ApiAcceptedResponse,
  ApiBody,
  ApiConsumes,
  ApiCreatedResponse,
  ApiHeader,
  ApiOkResponse,
  ApiTags,
} from '@nestjs/swagger';
import { IsOptional, IsString, MaxLength } from 'class-validator';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '#platform/errors/app-error.js';
import { Roles } from '#platform/http/access.js';
import { TakesBody } from '#platform/http/body-kind.js';
import { Errors } from '#platform/http/documented.js';
import { IsNotBlank } from '#platform/http/not-blank.js';
import { Idempotent } from '#platform/http/idempotency.js';
import {
  ImportFileAnswer,
  ImportFileCommand,
  MAX_FILE_BYTES,
  tooLarge,
} from './import-file/import-file.command.js';
import { ImportAnswer, ImportInvoiceCommand } from './import-invoice/import-invoice.command.js';

class ImportFileParameters {
  /** For CSV: URL-encoded JSON `{"field": "header"}`; fields are named as in the body of a single import. */
  @IsOptional() @IsString() @MaxLength(8000) map?: string;
  /** Customer of rows that name none. */
  @IsOptional() @IsNotBlank() @MaxLength(64) default_customer_code?: string;
}

const FORMATS: Record<string, 'csv' | 'ndjson'> = { 'text/csv': 'csv', 'application/x-ndjson': 'ndjson' };

@ApiTags('sales')
@Controller('sales/import')
export class ImportController {
  constructor(private readonly commands: CommandBus) {}

  /** Imports an invoice: 201 the first time, 200 when the same is sent again, 409 when its number has other content. */
  @Roles('operator')
  @Post('invoice')
  @Idempotent()
  @ApiCreatedResponse({ type: ImportAnswer })
  @ApiOkResponse({ type: ImportAnswer })
  @Errors(400, 401, 403, 409, 413, 415, 422)
  async one(
    @Body() command: ImportInvoiceCommand,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ImportAnswer> {
    const answer = await this.commands.execute<ImportInvoiceCommand, ImportAnswer>(command);
    void reply.status(answer.status_code);
    return answer;
  }

  /** Imports a file of invoices in the background: NDJSON (a single import's body on each line) or CSV, up to 64 MB. */
  @Roles('operator')
  @Post('invoices')
  @TakesBody('stream')
  @HttpCode(202)
  @ApiConsumes('application/x-ndjson', 'text/csv')
  @ApiBody({ schema: { type: 'string', format: 'binary' } })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description: 'Same key and file: the first answer again, for 24 hours',
  })
  @ApiAcceptedResponse({ type: ImportFileAnswer })
  @Errors(400, 401, 403, 409, 413, 415, 422)
  async file(
    @Query() parameters: ImportFileParameters,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ImportFileAnswer> {
    const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '';
    const format = FORMATS[type];
    if (!format) {
      throw new AppError(
        415,
        'request.unsupported_type',
        'Send the file as Content-Type text/csv or application/x-ndjson',
      );
    }
    if (Number(request.headers['content-length'] ?? 0) > MAX_FILE_BYTES) throw tooLarge();
    const { map, default_customer_code: code } = parameters;
    const answer = await this.commands.execute<ImportFileCommand, { status: number; body: ImportFileAnswer }>(
      new ImportFileCommand(format, map, code?.trim() ?? null, request.body as Readable, request),
    );
    void reply.status(answer.status);
    return answer.body;
  }
}
