import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import argon2 from 'argon2';

/** OWASP's Argon2id setting: 19 MiB, two passes, one lane. About 25 ms of one core. */
const OPTIONS = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

export const MIN_PASSWORD = 10;
export const MAX_PASSWORD = 200;

/** Hashes and checks passwords. */
@Injectable()
export class Passwords {
  private nobodys: Promise<string> | undefined;

  hash(password: string): Promise<string> {
    return argon2.hash(password, OPTIONS);
  }

  /**
   * @param hash undefined for an unknown account: it takes the same time and is never right, so the duration does
   * not tell which accounts exist
   */
  async matches(hash: string | undefined, password: string): Promise<boolean> {
    this.nobodys ??= this.hash(randomBytes(32).toString('hex'));
    const right = await argon2.verify(hash ?? (await this.nobodys), password);
    return right && hash !== undefined;
  }

  /** True when the hash was made with weaker settings than today's. */
  isOutdated(hash: string): boolean {
    return argon2.needsRehash(hash, OPTIONS);
  }

  /** Makes the hash that unknown accounts are checked against, so that the first of them is not slower. */
  async prepare(): Promise<void> {
    await this.matches(undefined, '');
  }
}
