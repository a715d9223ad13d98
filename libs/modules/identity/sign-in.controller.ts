import { Controller, Get, Post, Req, Res } from '@nestjs/common';
import {
  ApiBody,
  ApiConsumes,
  ApiFoundResponse,
  ApiOkResponse,
  ApiProduces,
  ApiQuery,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Public, Roles } from '#platform/http/access.js';
import { TakesBody } from '#platform/http/body-kind.js';
import { Errors } from '#platform/http/documented.js';
import { SignInDesk } from './sign-in/sign-in-desk.js';

const HTML = { schema: { type: 'string', example: '<!doctype html>…' } } as const;

@ApiTags('pages')
@Controller('sign-in')
export class SignInController {
  constructor(private readonly desk: SignInDesk) {}

  /**
   * The sign-in page
   *
   * @remarks For who is signed in: a way on and a way out.
   */
  @Get()
  @Public()
  @ApiProduces('text/html')
  @ApiQuery({
    name: 'next',
    required: false,
    description: 'Path of this site to go on to',
    schema: { type: 'string', example: '/docs' },
  })
  @ApiOkResponse({ description: 'The page', ...HTML })
  @Errors(400)
  show(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.desk.show(request, reply);
  }

  /**
   * Sign in a browser
   *
   * @remarks Sets the cookies `instep_session` and `instep_csrf`. An error is shown in the page.
   */
  @Post()
  @TakesBody('form')
  @Public()
  @ApiProduces('text/html')
  @ApiConsumes('application/x-www-form-urlencoded')
  @ApiBody({
    description: 'The fields of the page’s form',
    schema: { type: 'object', properties: formFields() },
  })
  @ApiResponse({ status: 303, description: 'Signed in; goes on to `next`' })
  @ApiResponse({ status: 400, description: 'A field is missing or malformed', ...HTML })
  @ApiResponse({ status: 401, description: 'The e-mail address or the password is wrong', ...HTML })
  @ApiResponse({ status: 403, description: 'The form’s nonce is not the cookie’s', ...HTML })
  @ApiResponse({
    status: 429,
    description: 'Too many failures; `Retry-After` says when to try again',
    ...HTML,
  })
  submit(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.desk.submit(request, reply);
  }
}

@ApiTags('pages')
@Controller('sign-out')
export class SignOutController {
  constructor(private readonly desk: SignInDesk) {}

  /**
   * Sign out a browser
   *
   * @remarks The form field `csrf_token` (or the header `X-CSRF-Token`) repeats the cookie `instep_csrf`.
   * @throws {403} The CSRF token is missing or not this session's (`access.csrf`)
   * @throws {409} An API key has no sign-in (`identity.no_session`)
   */
  @Post()
  @TakesBody('form')
  @Roles('viewer', { page: true })
  @ApiProduces('text/html')
  @ApiFoundResponse({ description: 'Nobody was signed in; goes to the sign-in page' })
  @ApiResponse({ status: 303, description: 'Signed out; goes to the sign-in page' })
  signOut(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.desk.signOut(request, reply);
  }
}

function formFields() {
  const text = (example: string) => ({ type: 'string', example }) as const;
  return {
    email: text('ada@example.com'),
    password: text('<your password>'),
    next: text('/docs'),
    nonce: text('<from the page>'),
  };
}
