import type { LoadJob, LoadResult } from './clients/load-client.js';
import { NodeProcess } from './node-process.js';

/** Sends requests from a process of its own. */
export class Load {
  private readonly process = NodeProcess.start('bench/clients/load-client.js');

  /** @returns answers a second. @throws when one of them was not as expected */
  async run(job: LoadJob): Promise<number> {
    const { perSecond, bad, sample } = await this.process.ask<LoadResult>(job);
    if (bad > 0) throw new Error(`${bad} bad answers from ${job.url}: ${sample}`);
    return perSecond;
  }

  stop(): Promise<void> {
    return this.process.stop();
  }
}
