import { Injectable } from '@nestjs/common';
import { Database } from '#platform/persistence/database.js';
import { ReaderPolicy } from '#platform/streams/reader-policy.js';

const OWNER = /^(user|api_key):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** Cuts the open streams of people and keys that were disabled or removed; one question however many readers. */
@Injectable()
export class LiveReaders extends ReaderPolicy {
  constructor(private readonly db: Database) {
    super();
  }

  async revoked(owners: readonly string[]): Promise<ReadonlySet<string>> {
    const ours = owners.filter((owner) => /^(user|api_key):/.test(owner));
    if (ours.length === 0) return new Set();
    const ids = (kind: string) =>
      ours.map((owner) => OWNER.exec(owner)).flatMap((m) => (m?.[1] === kind && m[2] ? [m[2]] : []));
    const live = await this.db.prepared<{ owner: string }>(
      'identity.live_owners',
      `select 'user:' || id as owner from identity."user" where id = any($1::uuid[]) and not disabled
       union all select 'api_key:' || id from identity.api_key where id = any($2::uuid[])`,
      [ids('user'), ids('api_key')],
    );
    const alive = new Set(live.map((row) => row.owner));
    return new Set(ours.filter((owner) => !alive.has(owner)));
  }
}
