/** Randomness that comes again with the same seed. */
export class SeededRandom {
  private state: number;

  constructor(readonly seed: number) {
    this.state = seed >>> 0;
  }

  /** In [0, 1): mulberry32. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `low` to `high`, both possible. */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.between(0, choices.length - 1)];
    if (choice === undefined) throw new Error('nothing to pick from');
    return choice;
  }

  shuffle<T>(list: readonly T[]): T[] {
    const copy = [...list];
    for (let at = copy.length - 1; at > 0; at--) {
      const other = this.between(0, at);
      [copy[at], copy[other]] = [copy[other] as T, copy[at] as T];
    }
    return copy;
  }
}

/** One line a test, however Jest is configured to print the console. */
export function say(text: string): void {
  process.stdout.write(`  ${text}\n`);
}

/**
 * Seeded by Jest, so that a run is repeated by `npm test -- test/faults/NAME --seed=<printed number>`. Timing of
 * processes stays the machine's own: the same seed makes the same choices, not the same race.
 * @param seed `import.meta.jest.getSeed()`
 */
export function seededRandom(suite: string, seed: number): SeededRandom {
  say(`${suite}: --seed=${seed}`);
  return new SeededRandom(seed);
}
