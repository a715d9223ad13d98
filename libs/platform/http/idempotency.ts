import { createHash } from 'node:crypto';
import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  UseInterceptors,
  applyDecorators,
} from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Observable, defer, firstValueFrom, from } from 'rxjs';
import { AppError, invalid } from '../errors/app-error.js';
import { Cipher } from '../persistence/cipher.js';
import { Database } from '../persistence/database.js';
import { identityOf } from './access.js';

export interface Answer {
  status: number;
  body: unknown;
  etag?: string | undefined;
}

/**
 * One effect for an `Idempotency-Key`. The answer is stored in the transaction of the effect itself, so a crash
 * leaves both or neither.
 */
@Injectable()
export class Idempotency {
  constructor(
    private readonly db: Database,
    private readonly cipher: Cipher,
  ) {}

  /**
   * Runs `work` once for a key and body within 24 h; later calls get the first answer.
   * @throws AppError 409 while the first is in flight, 422 for the same key with another body
   */
  async once(request: FastifyRequest, bodyHash: string, work: () => Promise<Answer>): Promise<Answer> {
    const key = request.headers['idempotency-key'];
    if (key === undefined) return this.db.tx(work);
    if (typeof key !== 'string' || key.length < 1 || key.length > 200) {
      throw invalid({ 'Idempotency-Key': ['must have 1 to 200 characters'] });
    }
    const { actor } = identityOf(request);
    const identity = `${actor.kind}:${actor.id ?? ''}`;
    const operation = `${request.method} ${request.url.split('?')[0]?.replace(/\/+$/, '') ?? ''}`;
    const attempt = () => this.db.tx(() => this.attempt({ identity, key, operation, bodyHash }, work));
    try {
      return await attempt();
    } catch (error) {
      // The first answer was committed while we looked (look and lock are one statement, whose snapshot is older than
      // the lock), and its row made ours fail, which rolled everything back. Now it is seen.
      if ((error as { constraint?: string }).constraint === 'idempotency_answer_pkey') return attempt();
      throw error;
    }
  }

  private async attempt(
    {
      identity,
      key,
      operation,
      bodyHash,
    }: { identity: string; key: string; operation: string; bodyHash: string },
    work: () => Promise<Answer>,
  ): Promise<Answer> {
    const place = `idempotency:${identity}:${key}`;
    const [known] = await this.db.prepared<Known>(
      'idempotency.look',
      `with expired as (
         delete from platform.idempotency_answer
         where identity = $2 and key = $3 and created_at <= platform.now() - interval '24 hours')
       select l.free, a.operation, a.body_hash, a.status, a.body
       from (select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as free) l
       left join platform.idempotency_answer a on a.identity = $2 and a.key = $3
         and a.created_at > platform.now() - interval '24 hours'`,
      [place, identity, key],
    );
    // A stored answer is given to everybody: those who read it must not refuse each other.
    if (!known || (!known.free && known.body === null)) {
      throw new AppError(
        409,
        'idempotency.in_flight',
        'A request with this Idempotency-Key is being worked on; ask again in a moment',
        { headers: { 'retry-after': '1' } },
      );
    }
    if (known.body !== null) {
      if (known.operation !== operation || known.body_hash !== bodyHash) {
        throw new AppError(
          422,
          'idempotency.key_reused',
          'This Idempotency-Key was used for another request; make a new one',
        );
      }
      const kept = JSON.parse(this.cipher.decrypt(known.body, place)) as Pick<Answer, 'body' | 'etag'>;
      return { status: known.status, ...kept };
    }
    const answer = await work();
    await this.db.alongside(
      'idempotency.keep',
      `insert into platform.idempotency_answer (identity, key, operation, body_hash, status, body, created_at)
       values ($1, $2, $3, $4, $5, $6, platform.now())`,
      [
        identity,
        key,
        operation,
        bodyHash,
        answer.status,
        this.cipher.encrypt(JSON.stringify({ body: answer.body ?? null, etag: answer.etag }), place),
      ],
    );
    return answer;
  }
}

type Known =
  | { free: boolean; operation: string; body_hash: string; status: number; body: string }
  | { free: boolean; operation: null; body_hash: null; status: null; body: null };

/** Wraps a handler in {@link Idempotency.once}; the handler's own transactions join. */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  constructor(private readonly idempotency: Idempotency) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest & { rawBody?: Buffer }>();
    if (request.headers['idempotency-key'] === undefined) return next.handle();
    const reply = http.getResponse<FastifyReply>();
    const hash = createHash('sha256')
      .update(request.rawBody ?? '')
      .digest('hex');
    return defer(() =>
      from(
        this.idempotency.once(request, hash, async () => ({
          body: await firstValueFrom(next.handle()),
          status: reply.statusCode,
          etag: reply.getHeader('etag') as string | undefined,
        })),
      ),
    ).pipe(answerWith(reply));
  }
}

const answerWith = (reply: FastifyReply) => (source: Observable<Answer>) =>
  defer(async () => {
    const { status, body, etag } = await firstValueFrom(source);
    reply.status(status);
    if (etag) void reply.header('etag', etag);
    return body;
  });

/** For every POST that creates: accepts an `Idempotency-Key`. */
export function Idempotent() {
  return applyDecorators(
    UseInterceptors(IdempotencyInterceptor),
    ApiHeader({
      name: 'Idempotency-Key',
      required: false,
      description: 'Same key and body: the first answer again, for 24 hours',
      schema: { type: 'string', maxLength: 200 },
    }),
  );
}
