import { Body, Controller, Get, Header, HttpCode, Patch, Post, Req, Res } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Public, Roles } from '#platform/http/access.js';
import { callerOf } from './authenticate/caller.js';
import { Cookies } from './authenticate/cookies.js';
import { ChangePasswordCommand, PasswordChange } from './change-password/change-password.command.js';
import { GetMeQuery, Me } from './get-me/get-me.query.js';
import { LoginCommand } from './login/login.command.js';
import { LogoutCommand } from './logout/logout.command.js';
import { RefreshCommand } from './refresh/refresh.command.js';
import { Tokens } from './tokens.dto.js';

@ApiTags('identity')
@Controller('identity')
export class SessionController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly cookies: Cookies,
  ) {}

  /**
   * Sign in with an e-mail address and a password
   *
   * @remarks Five failures for an account from one address are answered with 429 for 15 minutes; there are wider limits for an address and for an account.
   * @throws {400} A field is missing or malformed (`request.invalid`)
   * @throws {401} Wrong, unknown or disabled; which of these is not told (`identity.invalid_credentials`)
   * @throws {429} Too many failures; `Retry-After` says when to try again (`identity.too_many_attempts`)
   */
  @Post('login')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Public()
  login(@Body() command: LoginCommand): Promise<Tokens> {
    return this.commands.execute(command);
  }

  /**
   * Exchange a refresh token for a new pair
   *
   * @remarks A refresh token works once. Using one again ends the sign-in with all its tokens, since a copy may be in other hands; a client that did not get its answer signs in again.
   * @throws {400} The token is missing (`request.invalid`)
   * @throws {401} Unknown, used, expired or revoked (`identity.invalid_refresh_token`)
   */
  @Post('refresh')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Public()
  refresh(@Body() command: RefreshCommand): Promise<Tokens> {
    return this.commands.execute(command);
  }

  /**
   * Sign out
   *
   * @remarks Ends the sign-in of the token or cookie that this request carries, with its refresh and access tokens and stream tickets, and clears the cookies.
   * @throws {401} No identity, or not a valid one (`access.unauthenticated`, `access.invalid_token`)
   * @throws {403} The role does not reach this, or a cookie came without its CSRF token (`access.forbidden`, `access.csrf`)
   * @throws {409} An API key has no sign-in; delete the key instead (`identity.no_session`)
   */
  @Post('logout')
  @HttpCode(204)
  @Roles('viewer')
  async logout(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    await this.commands.execute(new LogoutCommand(callerOf(request)));
    this.cookies.clear(reply);
  }

  /**
   * Who am I
   *
   * @throws {401} No identity, or not a valid one (`access.unauthenticated`, `access.invalid_token`)
   * @throws {403} The role does not reach this (`access.forbidden`)
   */
  @Get('me')
  @Roles('viewer')
  me(@Req() request: FastifyRequest): Promise<Me> {
    return this.queries.execute(new GetMeQuery(callerOf(request)));
  }

  /**
   * Change my password
   *
   * @remarks Ends all other sign-ins of this person. Wrong current passwords count as failed sign-ins.
   * @throws {400} A field is malformed, or the current password is wrong (`request.invalid`, `identity.wrong_password`)
   * @throws {401} No identity, or not a valid one (`access.unauthenticated`, `access.invalid_token`)
   * @throws {403} The role does not reach this, or a cookie came without its CSRF token (`access.forbidden`, `access.csrf`)
   * @throws {409} An API key has no password (`identity.not_a_person`)
   * @throws {429} Too many failures; `Retry-After` says when to try again (`identity.too_many_attempts`)
   */
  @Patch('me')
  @HttpCode(204)
  @Roles('viewer')
  changePassword(@Req() request: FastifyRequest, @Body() change: PasswordChange): Promise<void> {
    return this.commands.execute(new ChangePasswordCommand(callerOf(request), change));
  }
}
