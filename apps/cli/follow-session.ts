import { setTimeout as sleep } from 'node:timers/promises';
import { type Options, SingleBar } from 'cli-progress';

const TERMINAL = ['completed', 'completed_with_errors', 'failed', 'aborted', 'cancelled'];
const RECONNECT_MS = 500;
const SILENCE_MS = 30_000;

/** A frame of a session's stream: its state and its counters. */
export interface SessionFrame {
  state: string;
  /** 0..1, null when unknown. */
  progress: number | null;
  processed: number;
  total: number | null;
  created?: number;
  updated?: number;
  unchanged?: number;
  skipped?: number;
  failed?: number;
  conflicts?: number;
  error?: string | null;
}

/** What to follow and how to show it. */
export interface FollowOptions {
  /** The session's SSE stream, absolute. */
  url: string;
  /** Headers that identify us, e.g. `{authorization: 'Bearer ...'}`. */
  headers: Record<string, string>;
  /** What stands before the bar. */
  label: string;
  /** Where the bar goes; on anything but a terminal it is a line every 25 %. */
  output?: NodeJS.WriteStream;
  /** Gives up following; the session itself goes on. */
  signal?: AbortSignal;
}

/**
 * Follows a session to its end with a progress bar, reconnecting where the stream breaks.
 * @returns the last frame, whose state is terminal
 * @throws Error when the server refuses the stream, or nothing was heard of it for 30 s
 */
export async function followSession(options: FollowOptions): Promise<SessionFrame> {
  const bar = options.output?.isTTY
    ? new TerminalBar(options.label, options.output)
    : new PlainBar(options.label, options.output);
  let lastId: string | undefined;
  let lastHeard = Date.now();
  let frame: SessionFrame | undefined;
  try {
    for (;;) {
      try {
        for await (const event of readEvents(options, lastId)) {
          lastHeard = Date.now();
          lastId = event.id ?? lastId;
          const next = { ...frame, ...event.data } as SessionFrame;
          frame = next;
          bar.show(next);
          if (TERMINAL.includes(next.state)) return next;
        }
      } catch (error) {
        if (options.signal?.aborted || error instanceof StreamRefused) throw error;
      }
      if (Date.now() - lastHeard > SILENCE_MS)
        throw new Error(`Nothing was heard of ${options.label} for ${SILENCE_MS / 1000} s.`);
      await sleep(RECONNECT_MS, undefined, { signal: options.signal });
    }
  } finally {
    bar.end();
  }
}

/** The server answered, and not with a stream: asking again would not help. */
class StreamRefused extends Error {}

interface StreamEvent {
  id: string | undefined;
  data: Partial<SessionFrame>;
}

/** One connection's events, until it ends. */
async function* readEvents(options: FollowOptions, lastId: string | undefined): AsyncGenerator<StreamEvent> {
  const silence = AbortSignal.timeout(SILENCE_MS * 10);
  const response = await fetch(options.url, {
    headers: {
      accept: 'text/event-stream',
      ...options.headers,
      ...(lastId ? { 'last-event-id': lastId } : {}),
    },
    signal: options.signal ? AbortSignal.any([options.signal, silence]) : silence,
  });
  if (response.status === 204) throw new StreamRefused('The session ended without telling its outcome.');
  if (response.status >= 500) {
    await response.body?.cancel();
    throw new Error(`The stream answered ${response.status}.`);
  }
  if (!response.ok || !response.body)
    throw new StreamRefused(`The stream was refused with ${response.status}: ${await response.text()}`);
  let rest = '';
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const frames = (rest + text).split(/\r?\n\r?\n/);
    rest = frames.pop() ?? '';
    for (const frame of frames) {
      const event = parseEvent(frame);
      if (event) yield event;
    }
  }
}

/** One SSE frame; comments (keep-alives) and frames without data are nothing. */
export function parseEvent(frame: string): StreamEvent | undefined {
  let id: string | undefined;
  const data: string[] = [];
  for (const line of frame.split(/\r?\n/)) {
    const [, field, value = ''] = /^([a-z]+):? ?(.*)$/.exec(line) ?? [];
    if (field === 'id') id = value;
    if (field === 'data') data.push(value);
  }
  return data.length > 0 ? { id, data: JSON.parse(data.join('\n')) as Partial<SessionFrame> } : undefined;
}

/** How much is done, 0..1, never falling; undefined when unknown. */
function fractionOf(frame: SessionFrame): number | undefined {
  if (TERMINAL.includes(frame.state) && frame.state.startsWith('completed')) return 1;
  if (typeof frame.progress === 'number') return frame.progress;
  return frame.total ? Math.min(frame.processed / frame.total, 1) : undefined;
}

class TerminalBar {
  private readonly bar: SingleBar;
  private most = 0;

  constructor(label: string, stream: NodeJS.WriteStream) {
    const settings: Options = {
      format: `${label} [{bar}] {percentage}% {counts}`,
      barsize: 30,
      hideCursor: true,
      clearOnComplete: false,
      stream,
    };
    this.bar = new SingleBar(settings);
    this.bar.start(100, 0, { counts: '' });
  }

  show(frame: SessionFrame): void {
    this.most = Math.max(this.most, fractionOf(frame) ?? 0);
    this.bar.update(Math.floor(this.most * 100), { counts: countsOf(frame) });
  }

  end(): void {
    this.bar.stop();
  }
}

class PlainBar {
  private next = 0.25;

  constructor(
    private readonly label: string,
    private readonly stream: NodeJS.WriteStream | undefined,
  ) {}

  show(frame: SessionFrame): void {
    const fraction = fractionOf(frame) ?? 0;
    if (fraction < this.next) return;
    this.next = (Math.floor(fraction * 4) + 1) / 4;
    this.stream?.write(`${this.label} ${Math.floor(fraction * 100)}% ${countsOf(frame)}\n`);
  }

  end(): void {
    this.next = Infinity;
  }
}

function countsOf(frame: SessionFrame): string {
  const failed = frame.failed ? `, ${frame.failed} failed` : '';
  return frame.total
    ? `(${frame.processed ?? 0} of ${frame.total}${failed})`
    : `(${frame.processed ?? 0}${failed})`;
}
