import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';

const STOP_MS = 15_000;
const running = new Set<NodeProcess>();

/** Resident memory of a process in MB, as Linux counts it. */
export interface Memory {
  now: number;
  peak: number;
}

/** A built script in a process of its own. It ends when we do, because its IPC channel closes then. */
export class NodeProcess {
  private readonly exited: Promise<void>;
  private over = false;

  private constructor(
    readonly script: string,
    private readonly child: ChildProcess,
  ) {
    this.exited = new Promise((resolve) => {
      child.once('exit', () => {
        this.over = true;
        running.delete(this);
        resolve();
      });
    });
    running.add(this);
  }

  /**
   * @param script relative to `dist/`
   * @param env all of its environment: nothing of ours leaks into a measure
   */
  static start(
    script: string,
    options: { env?: Record<string, string>; log?: string; flags?: string[] } = {},
  ): NodeProcess {
    const log = options.log ? openSync(options.log, 'a') : undefined;
    const child = fork(fileURLToPath(new URL(`../${script}`, import.meta.url)), [], {
      env: { PATH: process.env.PATH, ...options.env },
      // Away from a .env file that may lie in the clone.
      cwd: tmpdir(),
      execArgv: options.flags ?? [],
      serialization: 'advanced',
      stdio: ['ignore', log ?? 'ignore', log ?? 'inherit', 'ipc'],
    });
    if (log !== undefined) closeSync(log);
    return new NodeProcess(script, child);
  }

  /** Ends what is still running, after a failure. */
  static async stopAll(): Promise<void> {
    await Promise.all([...running].map((process) => process.stop()));
  }

  get alive(): boolean {
    return !this.over;
  }

  send(message: object | string): void {
    this.child.send(message);
  }

  /** The next message. @throws when the process ends instead */
  receive<T>(): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const onExit = () => reject(new Error(`${this.script} ended`));
      this.child.once('exit', onExit);
      this.child.once('message', (message) => {
        this.child.off('exit', onExit);
        resolve(message as T);
      });
    });
  }

  ask<T>(message: object | string): Promise<T> {
    const answer = this.receive<T>();
    this.send(message);
    return answer;
  }

  memory(): Memory {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    const read = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
    return { now: read('VmRSS'), peak: read('VmHWM') };
  }

  async stop(): Promise<void> {
    if (this.over) return;
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
    await this.exited;
    clearTimeout(timer);
  }
}
