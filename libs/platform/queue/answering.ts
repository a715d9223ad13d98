import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../errors/app-error.js';

/** How long the queue's store may take. A Redis that is away does not refuse: it lets commands wait. */
const QUEUE_MS = 5000;

/** @throws AppError 503 when the queue does not answer in time */
export async function answering<T>(work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = sleep(QUEUE_MS, undefined, { signal: timer.signal }).then(() => {
    throw new AppError(503, 'queue.unavailable', 'The queue does not answer; try again in a few seconds', {
      headers: { 'retry-after': '5' },
    });
  });
  late.catch(() => undefined);
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
  }
}
