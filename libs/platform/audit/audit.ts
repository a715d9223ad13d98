import { Injectable } from '@nestjs/common';
import { currentContext } from '../observability/request-context.js';
import { Database } from '../persistence/database.js';

/**
 * The append-only record of who changed what, when and from where. Actor, address and correlation id come from
 * the context; call it inside the transaction that makes the change, so that neither exists without the other.
 */
@Injectable()
export class Audit {
  constructor(private readonly db: Database) {}

  /**
   * @param action what happened, `module.past_tense`
   * @param subject what it happened to, `kind:id`
   * @param details facts worth keeping; never a secret
   */
  async record(action: string, subject: string | null, details: Record<string, unknown> = {}): Promise<void> {
    const { actor, address, correlationId } = currentContext();
    await this.db.alongside(
      'audit.record',
      `insert into platform.audit_log (actor_kind, actor_id, actor_label, action, subject, address, correlation_id, details)
       values ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [actor.kind, actor.id, actor.label, action, subject, address, correlationId, JSON.stringify(details)],
    );
  }
}
