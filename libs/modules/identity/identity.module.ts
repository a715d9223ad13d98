import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Authenticator } from '#platform/http/access.js';
import { ReaderPolicy } from '#platform/streams/reader-policy.js';
import { ApiKeysController } from './api-keys.controller.js';
import { AuditController } from './audit.controller.js';
import { AccessTokens } from './authenticate/access-tokens.js';
import { Callers } from './authenticate/callers.js';
import { Cookies } from './authenticate/cookies.js';
import { KnownCallers } from './authenticate/known-callers.js';
import { LiveReaders } from './authenticate/live-readers.js';
import { RequestAuthenticator } from './authenticate/request-authenticator.js';
import { ChangePasswordHandler } from './change-password/change-password.command.js';
import { CreateApiKeyHandler } from './create-api-key/create-api-key.command.js';
import { CreateUserHandler } from './create-user/create-user.command.js';
import { DeleteApiKeyHandler } from './delete-api-key/delete-api-key.command.js';
import { DeleteUserHandler } from './delete-user/delete-user.command.js';
import { ApiKey } from './entities/api-key.entity.js';
import { Session } from './entities/session.entity.js';
import { User } from './entities/user.entity.js';
import { FirstAdministrator } from './first-administrator/first-administrator.js';
import { GetMeHandler } from './get-me/get-me.query.js';
import { GetUserHandler } from './get-user/get-user.query.js';
import { IssueStreamTicketHandler } from './issue-stream-ticket/issue-stream-ticket.command.js';
import { ListApiKeysHandler } from './list-api-keys/list-api-keys.query.js';
import { ListAuditHandler } from './list-audit/list-audit.query.js';
import { ListUsersHandler } from './list-users/list-users.query.js';
import { LoginHandler } from './login/login.command.js';
import { LogoutHandler } from './logout/logout.command.js';
import { Passwords } from './passwords.js';
import { RefreshHandler } from './refresh/refresh.command.js';
import { SessionController } from './session.controller.js';
import { Sessions } from './sessions.js';
import { SignInController, SignOutController } from './sign-in.controller.js';
import { Credentials } from './sign-in/credentials.js';
import { SignInDesk } from './sign-in/sign-in-desk.js';
import { SignInLimits } from './sign-in/sign-in-limits.js';
import { SignInHandler } from './sign-in/sign-in.command.js';
import { StreamTicketsController } from './stream-tickets.controller.js';
import { UpdateUserHandler } from './update-user/update-user.command.js';
import { UsersController } from './users.controller.js';

const entities = [User, ApiKey, Session];

const handlers = [
  ChangePasswordHandler,
  CreateApiKeyHandler,
  CreateUserHandler,
  DeleteApiKeyHandler,
  DeleteUserHandler,
  GetMeHandler,
  GetUserHandler,
  IssueStreamTicketHandler,
  ListApiKeysHandler,
  ListAuditHandler,
  ListUsersHandler,
  LoginHandler,
  LogoutHandler,
  RefreshHandler,
  SignInHandler,
  UpdateUserHandler,
];

const parts = [
  AccessTokens,
  Callers,
  Cookies,
  Credentials,
  FirstAdministrator,
  KnownCallers,
  Passwords,
  Sessions,
  SignInDesk,
  SignInLimits,
];

/** Who may do what. Global, since the guard of every route asks the authenticator. */
@Global()
@Module({
  imports: [TypeOrmModule.forFeature(entities)],
  controllers: [
    SessionController,
    UsersController,
    ApiKeysController,
    StreamTicketsController,
    AuditController,
    SignInController,
    SignOutController,
  ],
  providers: [
    ...handlers,
    ...parts,
    { provide: Authenticator, useClass: RequestAuthenticator },
    { provide: ReaderPolicy, useClass: LiveReaders },
  ],
  exports: [Authenticator, ReaderPolicy],
})
export class IdentityModule {}
