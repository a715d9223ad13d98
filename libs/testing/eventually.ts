import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Asks again and again until `check` gives something truthy, and answers that.
 * @param what is said when the time is over, with the last answer or error
 */
export async function eventually<T>(
  what: string,
  check: () => Promise<T> | T,
  options: { ms?: number; everyMs?: number } = {},
): Promise<NonNullable<T>> {
  const { ms = 30_000, everyMs = 40 } = options;
  const deadline = Date.now() + ms;
  let last: unknown;
  do {
    try {
      const answer = await check();
      if (answer) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    await sleep(everyMs);
  } while (Date.now() < deadline);
  const seen = last instanceof Error ? last.message : JSON.stringify(last);
  throw new Error(`${what}: not within ${ms} ms (last: ${seen})`);
}
