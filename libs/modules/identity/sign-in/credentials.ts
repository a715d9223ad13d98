import { Injectable } from '@nestjs/common';
import { Audit } from '#platform/audit/audit.js';
import { AppError } from '#platform/errors/app-error.js';
import { actAs, currentContext } from '#platform/observability/request-context.js';
import { Database } from '#platform/persistence/database.js';
import { User } from '../entities/user.entity.js';
import { Passwords } from '../passwords.js';
import { SignInLimits, TooManyAttempts } from './sign-in-limits.js';

/** Checks an e-mail address and a password; shared by the API's sign-in, the page's and the change of a password. */
@Injectable()
export class Credentials {
  constructor(
    private readonly db: Database,
    private readonly limits: SignInLimits,
    private readonly passwords: Passwords,
    private readonly audit: Audit,
  ) {}

  /**
   * The person whose credentials these are, who acts from here on. Must run outside of a transaction: a refusal is
   * counted and audited though it throws.
   * @param email in lower case
   * @throws AppError 401, the same for a wrong password, an unknown and a disabled account; 429 after too many
   */
  async check(email: string, password: string): Promise<User> {
    const { address } = currentContext();
    try {
      await this.limits.take(email, address);
    } catch (error) {
      if (error instanceof TooManyAttempts && error.first)
        await this.refused(null, email, `too_many_attempts:${error.rule}`);
      throw error;
    }
    const user = await this.find(email);
    const right = await this.passwords.matches(user?.passwordHash, password);
    if (!user || !right || user.disabled) {
      await this.refused(user, email, user && right ? 'disabled' : 'wrong_credentials');
      throw new AppError(
        401,
        'identity.invalid_credentials',
        'The e-mail address or the password is wrong. Check both; capitals count in the password.',
      );
    }
    await this.limits.giveBack(email, address);
    if (this.passwords.isOutdated(user.passwordHash)) {
      await this.db.manager.update(
        User,
        { id: user.id },
        { passwordHash: await this.passwords.hash(password) },
      );
    }
    actAs({ kind: 'user', id: user.id, label: user.email });
    return user;
  }

  private find(email: string): Promise<User | null> {
    const columns = {
      id: true,
      email: true,
      name: true,
      role: true,
      disabled: true,
      passwordHash: true,
    } as const;
    return this.db.manager.findOne(User, { where: { email }, select: columns });
  }

  private refused(user: User | null, email: string, reason: string): Promise<void> {
    return this.audit.record('identity.sign_in_refused', user ? `user:${user.id}` : null, { email, reason });
  }
}
