import { type Hash, createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Sql } from './product.js';

/** Where a reader reads, and how it is allowed to. */
export interface ReaderOptions {
  /** Asked at every connection: any process may serve the rest. */
  url: () => string;
  path: string;
  headers: Record<string, string>;
  stream: string;
  /** The number of the last event it has; null: it begins at the present, and knows its place by the first event. */
  after: number | null;
  /** How long it waits before it connects again. */
  pauseMs?: () => number;
}

/**
 * Reads a stream for as long as it takes, through cuts and restarts, resuming by `Last-Event-ID` as a browser's
 * EventSource does. It keeps no events, only what is wrong and a hash of everything it was told.
 */
export class ResumingReader {
  readonly faults: string[] = [];
  connections = 0;
  /** Connections that were refused because something was down. */
  refusals = 0;
  /** Where it began: what the first event was numbered, less one, or what the stream said its place was. */
  begin: number | null;
  last: number | null;
  isOpen = false;
  private readonly hash: Hash = createHash('sha256');
  private connection = new AbortController();
  private stopped = false;
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly options: ReaderOptions) {
    this.begin = this.last = options.after;
  }

  start(): this {
    this.running = this.run();
    return this;
  }

  /** Breaks the connection, as a lost network does. */
  cut(): void {
    this.connection.abort();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.connection.abort();
    await this.running;
  }

  /** Of all it was told, to be compared with {@link hashOfLog}. */
  digest(): string {
    return this.hash.copy().digest('hex');
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      this.connection = new AbortController();
      try {
        await this.connect();
      } catch {
        // Cut by the test, by a killed process, or refused at the door: all the same to a reader.
      }
      this.isOpen = false;
      if (!this.stopped) await sleep(this.options.pauseMs?.() ?? 20);
    }
  }

  private async connect(): Promise<void> {
    const { url, path, headers, stream } = this.options;
    const response = await fetch(url() + path, {
      headers: { ...headers, ...(this.last !== null && { 'last-event-id': `${stream}.${this.last}` }) },
      signal: this.connection.signal,
    });
    if (response.status !== 200) {
      this.refusals += 1;
      if (response.status !== 503) this.fault(`was answered ${response.status}: ${await response.text()}`);
      return;
    }
    this.connections += 1;
    let rest = '';
    const decoder = new TextDecoder();
    for await (const part of response.body ?? []) {
      this.isOpen = true;
      rest += decoder.decode(part as Uint8Array, { stream: true });
      const frames = rest.split('\n\n');
      rest = frames.pop() ?? '';
      for (const frame of frames) this.take(frame);
    }
  }

  private take(text: string): void {
    // A line end too many between frames means nothing.
    const frame = text.replace(/^\n+/, '');
    // Comments are no events.
    if (frame.startsWith(':')) return;
    const match = /^id: ([a-z0-9-]+)\.(\d+)(?:\ndata: (.*))?$/.exec(frame);
    if (!match) return this.fault(`cannot read ${JSON.stringify(frame)}`);
    const seq = Number(match[2]);
    const data = match[3];
    // An id without data is no event to EventSource either, but from then on it knows its place.
    if (data === undefined) return this.place(seq);
    if (data.startsWith('{"reset":true')) this.fault(`was told to reset to ${seq} after ${this.last}`);
    this.begin ??= seq - 1;
    if (seq !== (this.last ?? this.begin) + 1) this.fault(`got ${seq} after ${this.last}`);
    this.last = seq;
    this.hash.update(`${seq} ${data}\n`);
  }

  private place(seq: number): void {
    if (this.last !== null && seq !== this.last) this.fault(`was placed at ${seq} after ${this.last}`);
    this.begin ??= seq;
    this.last ??= seq;
  }

  private fault(text: string): void {
    if (this.faults.length < 5) this.faults.push(text);
  }
}

/** What a reader of every event after `begin` must have been told. */
export async function hashOfLog(sql: Sql, stream: string, begin: number): Promise<string> {
  const hash = createHash('sha256');
  const rows = await sql.rows<{ seq: string; body: string }>(
    'select seq, body from platform.event where stream = $1 and seq > $2 order by seq',
    [stream, begin],
  );
  for (const { seq, body } of rows) hash.update(`${seq} ${body}\n`);
  return hash.digest('hex');
}
