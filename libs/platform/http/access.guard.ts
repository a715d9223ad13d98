import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { Config } from '../config/config.js';
import { AppError } from '../errors/app-error.js';
import { actAs } from '../observability/request-context.js';
import { ACCESS, type Access, Authenticator, type Identity } from './access.js';

/** Thrown for a page without identity; the filter turns it into a redirect. */
export class SignInRequired extends Error {
  constructor(readonly returnTo: string) {
    super('sign in first');
  }
}

/** Every route denies until it allows: no metadata, no entry. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly authenticator: Authenticator,
    private readonly config: Config,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const access = this.reflector.getAllAndOverride<Access | undefined>(ACCESS, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (access?.public) return true;
    if (!access) throw new AppError(403, 'access.denied', 'This route is closed');

    const request = context.switchToHttp().getRequest<FastifyRequest & { identity?: Identity }>();
    const identity = await this.authenticator.authenticate(request);
    if (!identity) {
      if (access.openIf?.(this.config)) return true;
      if (access.page) throw new SignInRequired(request.url);
      throw new AppError(401, 'access.unauthenticated', 'Sign in first: send a bearer token or an API key', {
        headers: { 'www-authenticate': 'Bearer' },
      });
    }
    actAs(identity.actor);
    request.identity = identity;
    if (!access.roles.includes(identity.role)) {
      throw new AppError(
        403,
        'access.forbidden',
        `This needs the role ${access.roles.join(' or ')}; yours is ${identity.role}`,
      );
    }
    return true;
  }
}
