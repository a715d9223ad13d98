import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Inject } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import { LOGGER } from '../observability/observability.module.js';
import { currentContext } from '../observability/request-context.js';
import { SignInRequired } from './access.guard.js';
import { problemOf, toAppError } from './problem.js';

/** The one place where errors become answers. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    if (reply.sent || reply.raw.headersSent) {
      reply.raw.destroy();
      return;
    }
    if (thrown instanceof SignInRequired) {
      void reply.redirect(`/sign-in?next=${encodeURIComponent(thrown.returnTo)}`, 302);
      return;
    }
    if (thrown instanceof HttpException && thrown.getStatus() === 204) {
      // A stream with nothing to tell: EventSource stops on 204, which must not carry a body.
      void reply.status(204).send();
      return;
    }
    const error = toAppError(thrown);
    if (error.status >= 500) this.logger.error({ err: thrown, code: error.code }, 'a request failed');
    void reply
      .status(error.status)
      .headers(error.options.headers ?? {})
      .type('application/problem+json')
      .send(JSON.stringify(problemOf(error, currentContext().correlationId)));
  }
}
