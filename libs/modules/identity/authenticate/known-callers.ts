import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Database } from '#platform/persistence/database.js';
import { Notifier } from '#platform/persistence/notifier.js';
import { expiredToken } from './access-tokens.js';
import type { Caller } from './caller.js';

/** How long an answer of the database is believed; with the look-up itself, a change is seen within a second. */
const BELIEVED_MS = 900;
const MAX_KNOWN = 20_000;

/** What a credential proved by itself, and how to ask the database who it stands for now. */
export interface Proof {
  /** Epoch milliseconds; Infinity where only the database decides. */
  expiresAt: number;
  load(): Promise<Caller | null>;
}

interface Known extends Proof {
  caller: Caller | null;
  /** When the question that `caller` answers was asked, by the monotonic clock. */
  askedAt: number;
  asking: { since: number; answer: Promise<Caller | null> } | undefined;
}

/**
 * Credentials seen lately, so that a request costs a look into a map instead of a signature check and a query.
 * A change of identities empties nothing but makes every process ask the database again: at once by a notice,
 * and after {@link BELIEVED_MS} without one.
 */
@Injectable()
export class KnownCallers implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly known = new LRUCache<string, Known>({ max: MAX_KNOWN });
  private changedAt = -Infinity;
  private stopListening: (() => void) | undefined;

  constructor(
    private readonly db: Database,
    private readonly notifier: Notifier,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    this.stopListening = await this.notifier.listen('instep_identity', () => this.distrust());
  }

  onApplicationShutdown(): void {
    this.stopListening?.();
  }

  /** Call it with every change that may take something away, inside its transaction. */
  announceChange(): void {
    this.db.afterCommit(() => this.distrust());
    this.notifier.poke('instep_identity');
  }

  /**
   * @param prove checks the credential itself, on its first sight
   * @returns null when the database does not know its owner (any more)
   */
  async find(credential: string, prove: () => Proof | Promise<Proof>): Promise<Caller | null> {
    let known = this.known.get(credential);
    if (!known) {
      const proof = await prove();
      known = { ...proof, caller: null, askedAt: -Infinity, asking: undefined };
      this.known.set(credential, known);
    }
    if (known.expiresAt <= Date.now()) {
      this.known.delete(credential);
      throw expiredToken();
    }
    if (known.askedAt > this.changedAt && performance.now() - known.askedAt < BELIEVED_MS)
      return known.caller;
    return this.ask(credential, known);
  }

  /** Requests that arrive together share one question, unless something changed since it was asked. */
  private ask(credential: string, known: Known): Promise<Caller | null> {
    if (known.asking && known.asking.since > this.changedAt) return known.asking.answer;
    const since = performance.now();
    const answer = known
      .load()
      .then((caller) => {
        if (!caller) this.known.delete(credential);
        else if (since > known.askedAt) Object.assign(known, { caller, askedAt: since });
        return caller;
      })
      .finally(() => {
        if (known.asking?.answer === answer) known.asking = undefined;
      });
    known.asking = { since, answer };
    // Whoever shares the question handles its failure; without this line a late one would end the process.
    answer.catch(() => undefined);
    return answer;
  }

  private distrust(): void {
    this.changedAt = performance.now();
  }
}
