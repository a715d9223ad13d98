import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { plainToInstance } from 'class-transformer';
import { validate } from 'class-validator';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '#platform/errors/app-error.js';
import { callerOf } from '../authenticate/caller.js';
import { Callers } from '../authenticate/callers.js';
import { Cookies, formField } from '../authenticate/cookies.js';
import { LoginCommand } from '../login/login.command.js';
import { LogoutCommand } from '../logout/logout.command.js';
import { looksLikeSecret, randomSecret, sameText } from '../secrets.js';
import { safeNext } from './next-path.js';
import { type SignInForm, signInPage, signedInPage } from './sign-in-html.js';
import { SignInCommand } from './sign-in.command.js';

const NONCE = 'instep_sign_in';
const NONCE_SECONDS = 3600;

/**
 * The HTML side of signing in and out. The form carries a nonce that is also in a cookie: without it another site
 * could sign people in to an account of its own, and read what they then enter there.
 */
@Injectable()
export class SignInDesk {
  constructor(
    private readonly commands: CommandBus,
    private readonly callers: Callers,
    private readonly cookies: Cookies,
  ) {}

  /** The form, or, for who is signed in, a way on and a way out. */
  async show(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const next = safeNext((request.query as Record<string, unknown>).next);
    const secret = this.cookies.secretOf(request);
    const caller =
      secret !== undefined && looksLikeSecret(secret) ? await this.callers.byCookie(secret) : null;
    if (secret !== undefined && caller) {
      this.html(
        reply,
        200,
        signedInPage({ label: caller.actor.label, next, csrf: this.cookies.csrfOf(secret) }),
      );
    } else {
      this.form(request, reply, 200, { next, email: '', error: null });
    }
  }

  /** Signs in and goes on to `next`, or shows the form again with what is wrong. */
  async submit(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const next = safeNext(formField(request, 'next'));
    const typed = {
      email: formField(request, 'email') ?? '',
      password: formField(request, 'password') ?? '',
    };
    const refuse = (status: number, error: string) =>
      this.form(request, reply, status, { next, email: typed.email.slice(0, 254), error });

    const nonce = request.cookies[NONCE];
    if (nonce === undefined || !sameText(nonce, formField(request, 'nonce') ?? '')) {
      return refuse(
        403,
        'This page was open for too long, or cookies are off in this browser. Please try again.',
      );
    }
    const login = plainToInstance(LoginCommand, typed);
    if ((await validate(login)).length > 0)
      return refuse(400, 'Enter your e-mail address and your password.');
    try {
      const replaced = this.cookies.secretOf(request);
      const { secret } = await this.commands.execute(
        new SignInCommand(login.email, login.password, replaced),
      );
      this.cookies.set(reply, secret);
      reply.clearCookie(NONCE, this.nonceOptions());
      void reply.header('cache-control', 'no-store').redirect(next, 303);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      void reply.headers(error.options.headers ?? {});
      refuse(error.status, error.message);
    }
  }

  async signOut(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    await this.commands.execute(new LogoutCommand(callerOf(request)));
    this.cookies.clear(reply);
    void reply.header('cache-control', 'no-store').redirect('/sign-in', 303);
  }

  /** A nonce that the browser has is kept, so that two open forms both work. */
  private form(
    request: FastifyRequest,
    reply: FastifyReply,
    status: number,
    form: Omit<SignInForm, 'nonce'>,
  ): void {
    const known = request.cookies[NONCE];
    const nonce = known !== undefined && looksLikeSecret(known) ? known : randomSecret();
    reply.setCookie(NONCE, nonce, { ...this.nonceOptions(), maxAge: NONCE_SECONDS });
    this.html(reply, status, signInPage({ ...form, nonce }));
  }

  private nonceOptions() {
    return this.cookies.options({ path: '/sign-in', httpOnly: true });
  }

  private html(reply: FastifyReply, status: number, body: string): void {
    void reply.status(status).header('cache-control', 'no-store').type('text/html; charset=utf-8').send(body);
  }
}
