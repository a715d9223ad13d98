import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, Client } from './http-client.js';

/** What a client knows in the end. */
export interface Acknowledged<B> extends Answer<B> {
  /** Requests that died without an answer: their effect is unknown to the client. */
  ambiguous: number;
  /** Refusals that ask to come again (503, or 409 while the first is in flight). */
  postponed: number;
}

/** Any one request takes no longer, or it counts as unanswered. */
const REQUEST_MS = 15_000;

/**
 * Posts until there is an answer that settles it, as a till with a bad network does: the same body (and key) again
 * after every broken connection, 503, or 409 of a request that is still in flight.
 * @param urls where to send; asked each time, since processes come back on other ports
 * @throws when nothing settled within `ms`, and on a 500, which is never an answer to a good request
 */
export async function postUntilAnswered<B>(
  urls: () => string,
  path: string,
  body: unknown,
  headers: Record<string, string>,
  ms = 90_000,
): Promise<Acknowledged<B>> {
  const deadline = Date.now() + ms;
  const sent = { ambiguous: 0, postponed: 0 };
  let last = 'nothing yet';
  while (Date.now() < deadline) {
    try {
      const answer = await within(REQUEST_MS, new Client(urls()).post<B>(path, body, headers));
      const { code } = answer.body as { code?: string };
      last = `${answer.status} ${JSON.stringify(answer.body)}`;
      if (answer.status === 500) throw new Error(`the API answered ${last}`);
      if (answer.status !== 503 && code !== 'idempotency.in_flight') return { ...answer, ...sent };
      sent.postponed += 1;
    } catch (error) {
      if (!isBroken(error)) throw error;
      last = String((error as { cause?: unknown }).cause ?? error);
      // Refused at the door: certainly without effect.
      if (!last.includes('ECONNREFUSED')) sent.ambiguous += 1;
    }
    await sleep(50);
  }
  throw new Error(`no answer within ${ms} ms; last: ${last}`);
}

const LATE = new Error('late');

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(LATE), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** fetch says TypeError (of another realm, under Jest) for everything that breaks, with the reason as its cause. */
const isBroken = (error: unknown) => error === LATE || (error as Error).name === 'TypeError';

/** Runs `work` for every entry, so many at a time. */
export async function together<T>(
  count: number,
  entries: readonly T[],
  work: (entry: T) => Promise<void>,
): Promise<void> {
  const rest = [...entries];
  const hand = async () => {
    for (let entry = rest.shift(); entry !== undefined; entry = rest.shift()) await work(entry);
  };
  await Promise.all(Array.from({ length: count }, hand));
}
