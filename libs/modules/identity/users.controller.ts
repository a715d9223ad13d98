import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiHeader, ApiParam, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Roles } from '#platform/http/access.js';
import { Idempotent } from '#platform/http/idempotency.js';
import { etagOf, expectedVersion } from '#platform/http/if-match.js';
import { CreateUserCommand } from './create-user/create-user.command.js';
import { DeleteUserCommand } from './delete-user/delete-user.command.js';
import { GetUserQuery, noSuchUser } from './get-user/get-user.query.js';
import { ListUsersQuery, UserPage } from './list-users/list-users.query.js';
import { UpdateUserCommand, UserChanges } from './update-user/update-user.command.js';
import { UserRow } from './user.dto.js';
import { idPipe } from './id-pipe.js';

const USER_ID = {
  name: 'id',
  schema: { type: 'string', format: 'uuid', example: '0f4b8a52-6a3e-4a53-9a43-0a3f1f6f8f10' },
} as const;

@ApiTags('identity')
@Controller('identity/users')
export class UsersController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  /**
   * List the people who may sign in
   *
   * @remarks Newest first.
   * @throws {400} A parameter is malformed or unknown (`request.invalid`)
   * @throws {401} No identity, or not a valid one (`access.unauthenticated`, `access.invalid_token`)
   * @throws {403} Administrators only (`access.forbidden`)
   */
  @Get()
  @Roles('admin')
  list(@Query() query: ListUsersQuery): Promise<UserPage> {
    return this.queries.execute<ListUsersQuery, UserPage>(query);
  }

  /**
   * Add a person
   *
   * @throws {400} A field is missing, malformed or unknown (`request.invalid`)
   * @throws {401} No identity, or not a valid one (`access.unauthenticated`, `access.invalid_token`)
   * @throws {403} Administrators only, or a cookie came without its CSRF token (`access.forbidden`, `access.csrf`)
   * @throws {409} The e-mail address is taken (`identity.email_taken`), or a request with this Idempotency-Key is in flight (`idempotency.in_flight`)
   * @throws {422} The Idempotency-Key was used for another request (`idempotency.key_reused`)
   */
  @Post()
  @Roles('admin')
  @Idempotent()
  create(@Body() command: CreateUserCommand): Promise<UserRow> {
    return this.commands.execute(command);
  }

  /**
   * Show one person
   *
   * @throws {401} No identity, or not a valid one (`access.unauthenticated`, `access.invalid_token`)
   * @throws {403} Administrators only (`access.forbidden`)
   * @throws {404} There is no such user (`identity.user_not_found`)
   */
  @Get(':id')
  @ApiParam(USER_ID)
  @Roles('admin')
  get(
    @Param('id', idPipe(noSuchUser)) id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<UserRow> {
    return tagged(reply, this.queries.execute(new GetUserQuery(id)));
  }

  /**
   * Change a person's name, role, password or access
   *
   * @remarks Works at once, for sign-ins under way as well. Disabling, and setting a password, signs the person out everywhere.
   * @throws {400} A field is malformed or unknown (`request.invalid`)
   * @throws {401} No identity, or not a valid one (`access.unauthenticated`, `access.invalid_token`)
   * @throws {403} Administrators only, or a cookie came without its CSRF token (`access.forbidden`, `access.csrf`)
   * @throws {404} There is no such user (`identity.user_not_found`)
   * @throws {409} The last enabled administrator stays (`identity.last_admin`)
   * @throws {412} Changed since the version in If-Match (`request.precondition_failed`)
   */
  @Patch(':id')
  @ApiParam(USER_ID)
  @Roles('admin')
  @ApiHeader({
    name: 'If-Match',
    required: false,
    description: 'ETag of the version to change',
    schema: { type: 'string', example: '"1"' },
  })
  update(
    @Param('id', idPipe(noSuchUser)) id: string,
    @Body() changes: UserChanges,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<UserRow> {
    return tagged(reply, this.commands.execute(new UpdateUserCommand(id, changes, expectedVersion(request))));
  }

  /**
   * Remove a person
   *
   * @remarks Ends every sign-in and stream of the person. What the person did stays in the audit log; API keys, which belong to the installation, stay too.
   * @throws {401} No identity, or not a valid one (`access.unauthenticated`, `access.invalid_token`)
   * @throws {403} Administrators only, or a cookie came without its CSRF token (`access.forbidden`, `access.csrf`)
   * @throws {404} There is no such user (`identity.user_not_found`)
   * @throws {409} The last enabled administrator stays (`identity.last_admin`)
   */
  @Delete(':id')
  @ApiParam(USER_ID)
  @HttpCode(204)
  @Roles('admin')
  delete(@Param('id', idPipe(noSuchUser)) id: string): Promise<void> {
    return this.commands.execute(new DeleteUserCommand(id));
  }
}

async function tagged(reply: FastifyReply, row: Promise<UserRow>): Promise<UserRow> {
  void reply.header('etag', etagOf((await row).version));
  return row;
}
