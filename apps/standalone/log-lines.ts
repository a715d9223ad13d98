const NAMES: Record<number, string> = { 40: 'warning', 50: 'error', 60: 'fatal' };
/** Stack traces, objects that Node prints with an error, and Node's own warnings: for the log file. */
const NOISE = /^\s*$|^\s+(?![\s-])|^[}\]^]|^\(node:\d+\) |^\(Use `node |^Node\.js v\d|^node:|^file:/;

/**
 * A line of a child process as the terminal shows it, or undefined when it is for the log file only. Children log
 * JSON (pino's levels): warnings and worse are shown, and what carries `notice: true`. Other text is shown, for it
 * is a process that failed before it could log; its stack is not.
 */
export function terminalLine(name: string, line: string): string | undefined {
  const entry = parse(line);
  if (!entry) return NOISE.test(line) ? undefined : `${name}: ${line}`;
  const level = typeof entry.level === 'number' ? entry.level : Number.NaN;
  if (!(level >= 40) && entry.notice !== true) return undefined;
  const error = entry.err as { message?: unknown } | undefined;
  const message = text(entry.msg) ?? text(entry.message) ?? '';
  const cause = text(error?.message);
  const detail = cause && !message.includes(cause) ? (message ? `: ${cause}` : cause) : '';
  const label = NAMES[Math.floor(level / 10) * 10];
  return `${name}${label ? ` ${label}` : ''}: ${message}${detail}`;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
