import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** True while the process runs. A zombie has ended: nobody has collected it yet, which is no work. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return process.platform !== 'linux' || linuxStat(pid)?.state !== 'Z';
}

/**
 * What tells a process from a later one with the same number: its start in clock ticks since boot.
 * `null` where the system does not say (anything but Linux).
 */
export function startOf(pid: number): string | null {
  return linuxStat(pid)?.start ?? null;
}

/**
 * The command line of a running process, one argument each where the system keeps them apart.
 * `undefined` when it has ended or the system does not tell (Windows).
 */
export function commandLineOf(pid: number): string[] | undefined {
  try {
    if (process.platform === 'linux')
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    if (process.platform === 'win32') return undefined;
    return [execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).trim()];
  } catch {
    return undefined;
  }
}

function linuxStat(pid: number): { state: string; start: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in brackets may hold anything, spaces and brackets too: count from its end.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '?', start: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}
