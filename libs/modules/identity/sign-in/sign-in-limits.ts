import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError } from '#platform/errors/app-error.js';
import { Database } from '#platform/persistence/database.js';

const MINUTE = 60;
const HOUR = 60 * MINUTE;

/** Failures allowed, and seconds until they are forgotten. */
const RULES = {
  /** One account from one address: a short wait first, a long one for who goes on. */
  pair: { points: 5, duration: 15 * MINUTE },
  pair_day: { points: 20, duration: 24 * HOUR },
  /** One address, whatever accounts it tries. */
  address: { points: 100, duration: HOUR },
  /** One account, from wherever: slow enough for a crowd of addresses. */
  account: { points: 50, duration: HOUR },
};
type Rule = keyof typeof RULES;

/**
 * Slows guessing down, counted in PostgreSQL for all processes. A try is counted before the password is looked at,
 * so that many at once do not slip through, and given back when it was right. The rules are asked in an order in
 * which an address that is refused adds nothing to the account's count: nobody can lock another out by himself.
 */
@Injectable()
export class SignInLimits {
  private readonly limiters: Record<Rule, RateLimiterPostgres>;

  constructor(private readonly db: Database) {
    const limiter = (rule: Rule) =>
      new RateLimiterPostgres({
        ...RULES[rule],
        storeClient: (db.dataSource.driver as unknown as { master: Pool }).master,
        storeType: 'pool',
        schemaName: 'platform',
        tableName: 'rate_limit',
        tableCreated: true,
        keyPrefix: `identity.sign_in.${rule}`,
        clearExpiredByTimeout: rule === 'pair',
      });
    this.limiters = {
      pair: limiter('pair'),
      pair_day: limiter('pair_day'),
      address: limiter('address'),
      account: limiter('account'),
    };
  }

  /** @throws TooManyAttempts (429) saying when to try again */
  async take(email: string, address: string | null): Promise<void> {
    const keys = keysOf(email, address);
    await this.consume('pair', keys.pair);
    await this.consume('pair_day', keys.pair);
    await this.consume('address', keys.address);
    try {
      await this.consume('account', keys.account);
    } catch (error) {
      // The owner is not kept out of an account that a crowd attacks.
      if (!(error instanceof TooManyAttempts) || !(await this.signedInFrom(email, address))) throw error;
    }
  }

  /** After the right password. */
  async giveBack(email: string, address: string | null): Promise<void> {
    const keys = keysOf(email, address);
    await this.limiters.pair.delete(keys.pair);
    await this.limiters.pair_day.delete(keys.pair);
    await this.limiters.address.reward(keys.address, 1);
    await this.limiters.account.reward(keys.account, 1);
  }

  private async consume(rule: Rule, key: string): Promise<void> {
    try {
      await this.limiters[rule].consume(key);
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      throw new TooManyAttempts(
        rule,
        refusal.msBeforeNext,
        refusal.consumedPoints === RULES[rule].points + 1,
      );
    }
  }

  private async signedInFrom(email: string, address: string | null): Promise<boolean> {
    const rows = await this.db.query(
      `select 1 from identity.session s join identity."user" u on u.id = s.user_id
       where u.email = $1 and s.address = $2 and s.created_at > platform.now() - interval '30 days' limit 1`,
      [email, address],
    );
    return rows.length > 0;
  }
}

/** 429; `first` tells the one refusal of a window that is worth a line in the audit log. */
export class TooManyAttempts extends AppError {
  constructor(
    readonly rule: Rule,
    waitMs: number,
    readonly first: boolean,
  ) {
    const seconds = Math.max(1, Math.ceil(waitMs / 1000));
    const wait =
      seconds < 90
        ? seconds === 1
          ? '1 second'
          : `${seconds} seconds`
        : `${Math.ceil(seconds / 60)} minutes`;
    const at = new Date(Date.now() + seconds * 1000).toISOString().slice(0, 16).replace('T', ' ');
    super(
      429,
      'identity.too_many_attempts',
      `Too many failed sign-ins. Try again in ${wait} (at ${at} UTC).`,
      {
        headers: { 'retry-after': String(seconds) },
      },
    );
  }
}

function keysOf(email: string, address: string | null) {
  const from = network(address);
  return { pair: digest(`${email} ${from}`), address: digest(from), account: digest(email) };
}

/** An IPv6 customer has a whole /64 to come from. */
export function network(address: string | null): string {
  if (address === null || !isIPv6(address)) return address ?? 'unknown';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped) return mapped;
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array<string>(Math.max(0, zeros)).fill('0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}

/** Fits the key column whatever is typed, and leaves no address book in the table. */
const digest = (text: string) => createHash('sha256').update(text).digest('base64url');
