import type { BenchServer } from './server.js';

/** What every benchmark is given. */
export interface Bench {
  server: BenchServer;
  /** Small sizes, to see that it runs; its ratios say little. */
  quick: boolean;
  /** Progress, for the person who waits. */
  say: (line: string) => void;
}
