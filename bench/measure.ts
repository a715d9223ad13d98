/** One line of the table: what we do beside what a peer does in the same run, or beside a limit. */
export interface Measure {
  benchmark: string;
  what: string;
  ours: string;
  /** What it is held against. */
  against: string;
  /** Ours by theirs, or by the limit. */
  ratio: number;
  /** The least or greatest ratio that passes; null: for information. */
  target: { atLeast: number } | { atMost: number } | null;
  /** Every round's ratio, to show the spread. */
  rounds: number[];
}

/** A benchmark that could not run here, and why. */
export interface Skipped {
  benchmark: string;
  why: string;
}

export type Report = (Measure | Skipped)[];

export function passes({ ratio, target }: Measure): boolean {
  if (!target) return true;
  return 'atLeast' in target ? ratio >= target.atLeast : ratio <= target.atMost;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** The median of the rounds' ratios: neighbours in time share the machine's mood. */
export function ratios(
  ours: readonly number[],
  theirs: readonly number[],
): { ratio: number; rounds: number[] } {
  const rounds = ours.map((value, index) => value / (theirs[index] ?? NaN));
  return { ratio: median(rounds), rounds };
}

/** Three significant digits, in plain notation. */
export const short = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString();

export function table(report: Report): string {
  const lines = [['', 'measure', 'ours', 'against', 'ratio', 'target', 'rounds', '']];
  for (const entry of report) {
    if ('why' in entry) {
      lines.push([entry.benchmark, `skipped: ${entry.why}`, '', '', '', '', '', '']);
      continue;
    }
    const { target } = entry;
    const wanted = !target ? '' : 'atLeast' in target ? `>= ${target.atLeast}` : `<= ${target.atMost}`;
    lines.push([
      entry.benchmark,
      entry.what,
      entry.ours,
      entry.against,
      short(entry.ratio),
      wanted,
      entry.rounds.map(short).join(' '),
      !target ? '' : passes(entry) ? 'pass' : 'MISS',
    ]);
  }
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  );
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
