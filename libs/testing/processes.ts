import { type ChildProcess, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../apps/standalone/embedded-postgres.js';
import { testEnvironment } from './config.js';
import { eventually } from './eventually.js';

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));
/** Two processes may boot on two busy cores, with others at work. */
const BOOT_MS = 60_000;
const KEPT_LINES = 400;

const READY = { api: 'the API listens', worker: 'the worker works' };
const LEADS = 'this worker sequences events now';

/**
 * The built API or worker as a process of its own, to be killed, paused and started again. It ends with the test
 * run whatever happens to that, because its channel to the parent closes (main.ts).
 */
export class ProductProcess {
  /** What it logged since its last start, newest last. */
  lines: string[] = [];
  /** How often it was started. */
  starts = 0;
  /** Ends that nobody asked for. */
  crashes = 0;
  private child: ChildProcess | undefined;
  private exited: Promise<void> = Promise.resolve();
  private port = 0;
  private wanted = false;
  private saidReady = false;
  private saidLeads = false;

  constructor(
    readonly kind: 'api' | 'worker',
    private readonly databaseUrl: string,
    private readonly env: Record<string, string> = {},
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  get isRunning(): boolean {
    return this.child?.exitCode === null && this.child.signalCode === null;
  }

  get isReady(): boolean {
    return this.isRunning && this.saidReady;
  }

  /** True once this process has become the one sequencer. */
  get leads(): boolean {
    return this.isRunning && this.saidLeads;
  }

  /** Starts it and waits until it works. */
  async start(): Promise<this> {
    const deadline = Date.now() + BOOT_MS;
    do {
      await this.begin();
      await Promise.race([this.exited, this.ready(deadline - Date.now())]);
      if (this.isReady) return this;
      // Somebody else may have taken the port between the look and the boot.
    } while (Date.now() < deadline && this.lines.some((line) => line.includes('EADDRINUSE')));
    throw new Error(`the ${this.kind} did not start:\n${this.tail()}`);
  }

  /** Starts it without waiting. A port is kept over restarts while it is free. */
  async begin(): Promise<void> {
    if (this.isRunning) throw new Error(`the ${this.kind} runs already`);
    const portTaken = this.lines.some((line) => line.includes('EADDRINUSE'));
    if (this.kind === 'api' && (this.port === 0 || portTaken)) this.port = await freePort();
    this.lines = [];
    this.saidReady = false;
    this.saidLeads = false;
    this.starts += 1;
    this.wanted = true;
    const child = spawn(process.execPath, [join(DIST, 'apps', this.kind, 'main.js')], {
      // Not the clone, where a developer's .env would be read.
      cwd: tmpdir(),
      env: testEnvironment(this.databaseUrl, {
        LOG_LEVEL: 'info',
        HOST: '127.0.0.1',
        ...(this.kind === 'api' && { PORT: String(this.port) }),
        ...this.env,
      }),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream)
        createInterface({ input: stream }).on('line', (line) => this.child === child && this.keep(line));
    }
    this.exited = new Promise((resolve) =>
      child.once('exit', () => {
        if (this.wanted && this.child === child) this.crashes += 1;
        resolve();
      }),
    );
  }

  ready(ms = BOOT_MS): Promise<unknown> {
    return eventually(`the ${this.kind} works`, () => this.isReady || !this.isRunning, { ms, everyMs: 20 });
  }

  /** `kill -9`: no handler runs, nothing is flushed. A paused process dies too. */
  async kill(): Promise<void> {
    this.wanted = false;
    if (this.isRunning) this.child?.kill('SIGKILL');
    await this.exited;
  }

  /** Freezes it where it stands, as a machine does that swaps or is suspended. */
  pause(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }

  /** The end of its log, for messages. */
  tail(count = 25): string {
    return this.lines.slice(-count).join('\n');
  }

  /** Logged errors (not warnings) since the last start. */
  errors(): string[] {
    return this.lines.filter((line) => /"level":(50|60)/.test(line));
  }

  private keep(line: string): void {
    // Requests are many and say nothing here.
    if (line.includes('"msg":"request"')) return;
    this.saidReady ||= line.includes(READY[this.kind]);
    this.saidLeads ||= line.includes(LEADS);
    this.lines.push(line);
    if (this.lines.length > KEPT_LINES) this.lines.shift();
  }
}
