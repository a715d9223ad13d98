import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** 32 random bytes as text: nobody guesses it, so it may be stored under a fast hash. */
export const randomSecret = (prefix = ''): string => prefix + randomBytes(32).toString('base64url');

/** What is stored in place of a random secret. */
export const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** Keyed digest of `text`, as text. */
export const sign = (key: Uint8Array, text: string): string =>
  createHmac('sha256', key).update(text).digest('base64url');

/** Compares without telling, by its duration, where two texts differ. */
export function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** The form of every random secret that {@link randomSecret} makes. */
export const looksLikeSecret = (text: string, prefix = ''): boolean =>
  text.length === prefix.length + 43 &&
  text.startsWith(prefix) &&
  /^[A-Za-z0-9_-]{43}$/.test(text.slice(prefix.length));
