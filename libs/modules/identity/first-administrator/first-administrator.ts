import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import type { Logger } from 'pino';
import { Audit } from '#platform/audit/audit.js';
import { Config } from '#platform/config/config.js';
import { LOGGER } from '#platform/observability/observability.module.js';
import { SYSTEM, runInContext } from '#platform/observability/request-context.js';
import { Database } from '#platform/persistence/database.js';
import { LOCKS } from '#platform/persistence/locks.js';
import { Passwords } from '../passwords.js';

/** Makes the configured first administrator while there is nobody at all; never touches a user that exists. */
@Injectable()
export class FirstAdministrator implements OnApplicationBootstrap {
  constructor(
    private readonly db: Database,
    private readonly config: Config,
    private readonly passwords: Passwords,
    private readonly audit: Audit,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.passwords.prepare();
    const { admin } = this.config;
    if (!(await this.nobody())) return;
    if (!admin) {
      this.logger.warn('nobody can sign in: set ADMIN_EMAIL and ADMIN_PASSWORD and start again');
      return;
    }
    const passwordHash = await this.passwords.hash(admin.password);
    await runInContext({ actor: SYSTEM }, () => this.db.tx(() => this.create(admin.email, passwordHash)));
  }

  private async create(email: string, passwordHash: string): Promise<void> {
    await this.db.query('select pg_advisory_xact_lock($1)', [LOCKS.firstAdministrator]);
    if (!(await this.nobody())) return;
    const row = await this.db.first<{ id: string }>(
      `insert into identity."user" (email, name, role, password_hash) values ($1, 'Administrator', 'admin', $2) returning id`,
      [email, passwordHash],
    );
    await this.audit.record('identity.first_administrator_created', `user:${row?.id ?? ''}`, { email });
  }

  private async nobody(): Promise<boolean> {
    return (await this.db.query('select 1 from identity."user" limit 1')).length === 0;
  }
}
