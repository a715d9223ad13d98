import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';

/** Node would take a tag that was cut to 4 bytes, which is easier to guess. */
const GCM = { authTagLength: 16 };

/**
 * AES-256-GCM for values at rest. Text form: `v1.<key id>.<iv>.<tag>.<data>` (base64url). The associated data
 * binds a value to its place (table, row, field), so that it cannot be moved to another.
 */
@Injectable()
export class Cipher {
  constructor(private readonly config: Config) {}

  encrypt(plain: string, place: string): string {
    const [first] = this.config.encryptionKeys;
    if (!first) throw new Error('no encryption key');
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', first.key, iv, GCM).setAAD(Buffer.from(place));
    const data = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
    return [
      'v1',
      first.id,
      ...[iv, cipher.getAuthTag(), data].map((part) => part.toString('base64url')),
    ].join('.');
  }

  /** @throws when the key is not known any more, the text was altered, or it belongs to another place. */
  decrypt(text: string, place: string): string {
    const [version, id, ...parts] = text.split('.');
    const key = this.config.encryptionKeys.find((k) => k.id === id)?.key;
    const [iv, tag, data] = parts.map((part) => Buffer.from(part, 'base64url'));
    if (version !== 'v1' || !iv || !tag || !data) throw new Error('not an encrypted value');
    if (!key) throw new Error(`encryption key "${id}" is not among ENCRYPTION_KEYS`);
    const decipher = createDecipheriv('aes-256-gcm', key, iv, GCM).setAAD(Buffer.from(place)).setAuthTag(tag);
    return Buffer.concat([decipher.update(data), decipher.final()]).toString('utf8');
  }

  /** True while a value is under an older key than the first: rotation writes it again. */
  isOutdated(text: string): boolean {
    return text.split('.')[1] !== this.config.encryptionKeys[0]?.id;
  }
}
