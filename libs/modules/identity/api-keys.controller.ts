import { Body, Controller, Delete, Get, Header, HttpCode, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiParam, ApiTags } from '@nestjs/swagger';
import { Roles } from '#platform/http/access.js';
import { Idempotent } from '#platform/http/idempotency.js';
import { CreateApiKeyCommand, NewApiKey } from './create-api-key/create-api-key.command.js';
import { DeleteApiKeyCommand, noSuchKey } from './delete-api-key/delete-api-key.command.js';
import { idPipe } from './id-pipe.js';
import { ApiKeyPage, ListApiKeysQuery } from './list-api-keys/list-api-keys.query.js';

const KEY_ID = {
  name: 'id',
  schema: { type: 'string', format: 'uuid', example: '7d1a4c1e-3f6b-4a53-8f43-0a3f1f6f8f10' },
} as const;

@ApiTags('identity')
@Controller('identity/api-keys')
export class ApiKeysController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  /**
   * List the API keys
   *
   * @remarks Newest first. The keys themselves are not kept, only how they begin.
   * @throws {400} A parameter is malformed or unknown (`request.invalid`)
   * @throws {401} No identity, or not a valid one (`access.unauthenticated`, `access.invalid_token`)
   * @throws {403} Administrators only (`access.forbidden`)
   */
  @Get()
  @Roles('admin')
  list(@Query() query: ListApiKeysQuery): Promise<ApiKeyPage> {
    return this.queries.execute<ListApiKeysQuery, ApiKeyPage>(query);
  }

  /**
   * Make an API key
   *
   * @remarks The answer is the only time that the key is shown.
   * @throws {400} A field is missing, malformed or unknown (`request.invalid`)
   * @throws {401} No identity, or not a valid one (`access.unauthenticated`, `access.invalid_token`)
   * @throws {403} Administrators only, or a cookie came without its CSRF token (`access.forbidden`, `access.csrf`)
   * @throws {409} A request with this Idempotency-Key is in flight (`idempotency.in_flight`)
   * @throws {422} The Idempotency-Key was used for another request (`idempotency.key_reused`)
   */
  @Post()
  @Header('cache-control', 'no-store')
  @Roles('admin')
  @Idempotent()
  create(@Body() command: CreateApiKeyCommand): Promise<NewApiKey> {
    return this.commands.execute(command);
  }

  /**
   * Revoke an API key
   *
   * @throws {401} No identity, or not a valid one (`access.unauthenticated`, `access.invalid_token`)
   * @throws {403} Administrators only, or a cookie came without its CSRF token (`access.forbidden`, `access.csrf`)
   * @throws {404} There is no such key (`identity.api_key_not_found`)
   */
  @Delete(':id')
  @ApiParam(KEY_ID)
  @HttpCode(204)
  @Roles('admin')
  delete(@Param('id', idPipe(noSuchKey)) id: string): Promise<void> {
    return this.commands.execute(new DeleteApiKeyCommand(id));
  }
}
