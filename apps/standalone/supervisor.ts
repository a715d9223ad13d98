import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { terminalLine } from './log-lines.js';
import { RotatingLog } from './rotating-log.js';

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 10_000;
/** A child that ran this long had started well: its next end is a new story. */
const STEADY_AFTER_MS = 30_000;

/**
 * Runs in each child before its own code: the parent may be killed while the child is still loading, when nobody
 * would hear its channel close. A child that hears it itself drains first; this is the end of its patience.
 */
const LEAVE_WITH_PARENT = `data:text/javascript,${encodeURIComponent(`
  if (process.connected === false) process.exit(1);
  process.once('disconnect', () => {
    if (process.listenerCount('disconnect') === 0) process.exit(1);
    setTimeout(() => process.exit(1), 8000).unref();
  });
  process.channel?.unref();
`)}`;

/** One process to keep running. */
export interface ChildSpec {
  /** `api`, `worker`: prefix in the terminal and name of the log file. */
  name: string;
  /** Script for this Node. */
  script: string;
  env: NodeJS.ProcessEnv;
}

/** Where the output of the children goes. */
export interface SupervisorOptions {
  /** Folder of `<name>.log`; absent: the children write to our own output as they are. */
  logDir?: string;
  /** Shows one line to the operator. */
  say: (line: string) => void;
  /** Called each time a child ended that should not have. */
  onUnexpectedEnd?: (name: string, endings: number) => void;
}

interface Running {
  spec: ChildSpec;
  child: ChildProcess | undefined;
  log: RotatingLog | undefined;
  delayMs: number;
  endings: number;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Keeps child processes running and stops them in order. They run in process groups of their own, because Ctrl-C
 * reaches a whole terminal group at once and we want to drain them one after the other; should we be killed, the
 * closed IPC channel tells them to go.
 */
export class Supervisor {
  private readonly children: Running[] = [];
  private stopping = false;

  constructor(private readonly options: SupervisorOptions) {}

  /** Starts a child, and starts it again whenever it ends before {@link stop}. */
  start(spec: ChildSpec): void {
    const log = this.options.logDir
      ? new RotatingLog(join(this.options.logDir, `${spec.name}.log`))
      : undefined;
    const running: Running = {
      spec,
      child: undefined,
      log,
      delayMs: FIRST_DELAY_MS,
      endings: 0,
      timer: undefined,
    };
    this.children.push(running);
    this.launch(running);
  }

  /**
   * Ends the children in the order they were started, each when the one before is gone. SIGTERM lets them drain;
   * those still there after `graceMs` altogether are killed.
   */
  async stop(graceMs = 8_000): Promise<void> {
    this.stopping = true;
    const deadline = Date.now() + graceMs;
    for (const [index, running] of this.children.entries()) {
      clearTimeout(running.timer);
      // Nobody may use up the time of those behind it entirely.
      const left = Math.max(deadline - Date.now(), 0);
      const share = left * (index === this.children.length - 1 ? 1 : 0.6);
      await this.end(running, share);
      running.log?.close();
    }
  }

  /** Ends all of them at once, drained or not. */
  kill(): void {
    this.stopping = true;
    for (const { child, timer } of this.children) {
      clearTimeout(timer);
      child?.kill('SIGKILL');
    }
  }

  /** Closes the channels, as our own end would: each child notices that it was left alone, and goes. */
  disconnect(): void {
    for (const { child } of this.children) if (child?.connected) child.disconnect();
  }

  private launch(running: Running): void {
    if (this.stopping) return;
    const { spec, log } = running;
    const output = log ? 'pipe' : 'inherit';
    const since = Date.now();
    const child = spawn(
      process.execPath,
      ['--enable-source-maps', '--import', LEAVE_WITH_PARENT, spec.script],
      {
        env: spec.env,
        detached: process.platform !== 'win32',
        stdio: ['ignore', output, output, 'ipc'],
        windowsHide: true,
      },
    );
    running.child = child;
    if (log) {
      for (const stream of [child.stdout, child.stderr]) if (stream) this.follow(spec.name, stream, log);
    }
    let ended = false;
    const onEnd = (how: string): void => {
      if (ended) return;
      ended = true;
      running.child = undefined;
      if (this.stopping) return;
      const ran = Date.now() - since;
      if (ran > STEADY_AFTER_MS) Object.assign(running, { delayMs: FIRST_DELAY_MS, endings: 0 });
      running.endings++;
      const delay = running.delayMs;
      running.delayMs = Math.min(delay * 2, LONGEST_DELAY_MS);
      running.timer = setTimeout(() => this.launch(running), delay);
      this.options.say(`${spec.name} ended (${how}) and is started again in ${(delay / 1000).toFixed(1)} s.`);
      this.options.onUnexpectedEnd?.(spec.name, running.endings);
    };
    child.once('exit', (code, signal) => onEnd(signal ?? `code ${code}`));
    child.once('error', (error) => onEnd(error.message));
  }

  private follow(name: string, stream: Readable, log: RotatingLog): void {
    createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => {
      log.write(line);
      const shown = terminalLine(name, line);
      if (shown !== undefined) this.options.say(shown);
    });
  }

  private async end(running: Running, graceMs: number): Promise<void> {
    const child = running.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    const drained = once(child, 'close');
    // Windows has no SIGTERM to catch; the closed channel is what the child hears there.
    if (process.platform === 'win32') child.disconnect();
    else child.kill('SIGTERM');
    const timer = setTimeout(() => {
      this.options.say(`${running.spec.name} did not stop in time and was ended.`);
      child.kill('SIGKILL');
    }, graceMs);
    await gone;
    clearTimeout(timer);
    // Its last lines are still in the pipe; a grandchild that keeps the pipe open must not keep us.
    await Promise.race([drained, sleep(300, undefined, { ref: false })]);
  }
}
