import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type MessageEvent,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { Logger } from 'pino';
import { Observable } from 'rxjs';
import { Config } from '../config/config.js';
import { Metrics } from '../observability/metrics.js';
import { LOGGER } from '../observability/observability.module.js';
import { Notifier } from '../persistence/notifier.js';
import { EventLog, type LoggedEvent } from './event-log.js';
import { ReaderPolicy } from './reader-policy.js';
import { type Frame, Reader } from './reader.js';

const PAGE = 500;
/** The newest frames of a busy stream stay in memory, for readers that fall behind a little. */
const TAIL_FRAMES = 2000;
const TAIL_BYTES = 8 * 1024 * 1024;
const POLL_MS = 1000;
const RETRY_MS = 50;
const KEEP_ALIVE = Buffer.from(': keep-alive\n\n');

/** One stream that has readers in this process. `tail` ends at `head` and has no gap. */
interface Channel {
  head: number;
  readers: Set<Reader>;
  tail: Frame[];
  tailBytes: number;
}

/** Where a reader begins. */
export interface Subscription {
  stream: string;
  /** The number of the last event the reader has; null: begin at the present. */
  after: number | null;
  /** All there is to say, of a stream that is over and no longer kept: sent alone, then the end. */
  farewell?: { seq: number; body: object };
  /** `user:<id>` or `api_key:<id>`; null for an anonymous reader of a public stream. */
  owner: string | null;
}

/**
 * Serves every stream to every reader of this process. An event is read once and made into bytes once, however
 * many readers there are; a reader that falls behind reads the log at its own pace and joins again.
 */
@Injectable()
export class StreamHub implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly channels = new Map<string, Channel>();
  private pumping: Promise<void> | undefined;
  private pumpAgain = false;
  private timers: NodeJS.Timeout[] = [];

  constructor(
    private readonly config: Config,
    private readonly log: EventLog,
    private readonly notifier: Notifier,
    private readonly policy: ReaderPolicy,
    private readonly metrics: Metrics,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.notifier.listen('instep_event', () => void this.pump());
    this.timers = [
      setInterval(() => void this.pump(), POLL_MS),
      setInterval(() => this.keepAlive(), this.config.sseKeepAliveMs),
    ];
  }

  beforeApplicationShutdown(): void {
    for (const timer of this.timers) clearInterval(timer);
    for (const channel of this.channels.values()) for (const reader of channel.readers) reader.end();
  }

  /**
   * The answer of an `@Sse` route. Nest sends the headers with the first comment; from then on frames are written
   * to the raw response.
   */
  attach(raw: ServerResponse, subscription: Subscription): Observable<MessageEvent> {
    return new Observable((subscriber) => {
      subscriber.next({ comment: 'open' });
      const reader = new Reader(raw, subscription.owner, () => subscriber.complete());
      this.metrics.streamReaders.inc();
      const { farewell, stream } = subscription;
      if (farewell) {
        reader.write(frameOf({ stream, seq: farewell.seq, body: JSON.stringify(farewell.body), last: true }));
        reader.end();
      } else
        this.join(reader, subscription).catch((error: unknown) => {
          this.logger.warn({ err: error, stream: subscription.stream }, 'a reader could not be served');
          reader.cut();
        });
      return () => {
        this.metrics.streamReaders.dec();
        this.leave(reader, subscription.stream);
      };
    });
  }

  private async join(reader: Reader, { stream, after }: Subscription): Promise<void> {
    let channel = this.channels.get(stream);
    if (!channel) {
      const { head } = await this.log.extent(stream);
      if (reader.gone) return;
      channel = this.channels.get(stream) ?? { head, readers: new Set(), tail: [], tailBytes: 0 };
      this.channels.set(stream, channel);
    }
    channel.readers.add(reader);
    reader.sent = after ?? channel.head;
    // An id without data dispatches nothing, but EventSource remembers it: cut before its first event it resumes here.
    if (after === null) reader.raw.write(`id: ${stream}.${channel.head}\n\n`);
    await this.catchUp(channel, stream, reader);
  }

  private leave(reader: Reader, stream: string): void {
    reader.gone = true;
    const channel = this.channels.get(stream);
    channel?.readers.delete(reader);
    if (channel?.readers.size === 0) this.channels.delete(stream);
  }

  /** Brings one reader to the head at the reader's own pace; then it is live. */
  private async catchUp(channel: Channel, stream: string, reader: Reader): Promise<void> {
    reader.live = false;
    if (reader.sent > channel.head) await this.comeLevel(channel, stream, reader);
    while (!reader.gone) {
      if (reader.sent >= channel.head) {
        reader.live = true;
        return;
      }
      const frames = await this.framesAfter(channel, stream, reader.sent);
      const next = frames[0]?.seq ?? channel.head + 1;
      if (next !== reader.sent + 1) reader.write(resetTo(stream, next - 1));
      for (const frame of frames) {
        if (reader.gone) return;
        reader.write(frame);
        if (frame.last) return reader.end();
        if (reader.isFull) await reader.drained();
      }
    }
  }

  /** A reader that heard of more than this process has, from another process: catches up with it, not it with us. */
  private async comeLevel(channel: Channel, stream: string, reader: Reader): Promise<void> {
    const { head } = await this.log.extent(stream);
    while (reader.sent <= head && channel.head < reader.sent && !reader.gone) {
      await this.pump();
      if (channel.head < reader.sent) await sleep(RETRY_MS);
    }
    if (reader.sent > channel.head) reader.write(resetTo(stream, channel.head));
  }

  private async framesAfter(channel: Channel, stream: string, seq: number): Promise<Frame[]> {
    const first = channel.tail[0]?.seq;
    if (first !== undefined && seq + 1 >= first)
      return channel.tail.slice(seq + 1 - first, seq + 1 - first + PAGE);
    return (await this.log.after(new Map([[stream, seq]]), PAGE)).map(frameOf);
  }

  /** Resolves when everything that was committed before the call has been told. */
  private pump(): Promise<void> {
    this.pumpAgain = true;
    return (this.pumping ??= this.drainLog());
  }

  private async drainLog(): Promise<void> {
    // The caller must hold the promise before the end can clear it.
    await Promise.resolve();
    try {
      while (this.pumpAgain && this.channels.size > 0) {
        this.pumpAgain = false;
        const heads = new Map([...this.channels].map(([stream, channel]) => [stream, channel.head]));
        const events = await this.log.after(heads, PAGE);
        for (const event of events) this.broadcast(event);
        if (events.length >= PAGE) this.pumpAgain = true;
      }
    } catch (error) {
      this.logger.warn({ err: error }, 'the event log could not be read; trying again');
    } finally {
      // In the same breath as the last look at `pumpAgain`, or a call between would wake nobody.
      this.pumping = undefined;
    }
  }

  private broadcast(event: LoggedEvent): void {
    const channel = this.channels.get(event.stream);
    if (!channel || event.seq <= channel.head) return;
    if (event.seq > channel.head + 1) this.skip(channel, event);
    const frame = frameOf(event);
    channel.head = event.seq;
    remember(channel, frame);
    for (const reader of channel.readers) {
      // One that read the log by itself may be ahead of this channel.
      if (!reader.live || frame.seq <= reader.sent) continue;
      reader.write(frame);
      if (frame.last) reader.end();
      else if (reader.isFull) void this.resume(channel, event.stream, reader);
    }
  }

  /** Events between were pruned before this process read them: whoever is live is told. */
  private skip(channel: Channel, { stream, seq }: LoggedEvent): void {
    channel.tail = [];
    channel.tailBytes = 0;
    for (const reader of channel.readers) {
      if (reader.live && reader.sent < seq - 1) reader.write(resetTo(stream, seq - 1));
    }
  }

  private async resume(channel: Channel, stream: string, reader: Reader): Promise<void> {
    reader.live = false;
    try {
      await reader.drained();
      await this.catchUp(channel, stream, reader);
    } catch (error) {
      this.logger.warn({ err: error, stream }, 'a reader could not be served');
      reader.cut();
    }
  }

  private keepAlive(): void {
    const owners = new Set<string>();
    for (const channel of this.channels.values()) {
      for (const reader of channel.readers) {
        if (!reader.isFull) reader.raw.write(KEEP_ALIVE);
        if (reader.owner) owners.add(reader.owner);
      }
    }
    if (owners.size > 0) {
      this.cutRevoked([...owners]).catch((error: unknown) =>
        this.logger.warn({ err: error }, 'readers could not be checked'),
      );
    }
  }

  private async cutRevoked(owners: string[]): Promise<void> {
    const revoked = await this.policy.revoked(owners);
    if (revoked.size === 0) return;
    for (const channel of this.channels.values()) {
      for (const reader of channel.readers) if (reader.owner && revoked.has(reader.owner)) reader.cut();
    }
  }
}

function frameOf({ stream, seq, body, last }: LoggedEvent): Frame {
  return { seq, last, bytes: Buffer.from(`id: ${stream}.${seq}\ndata: ${body}\n\n`) };
}

/** Tells a reader that events before this point are not kept any more: it should read the list again. */
const resetTo = (stream: string, seq: number): Frame =>
  frameOf({
    stream,
    seq,
    body: '{"reset":true,"message":"Earlier events are no longer kept. Read the list again."}',
    last: false,
  });

function remember(channel: Channel, frame: Frame): void {
  channel.tail.push(frame);
  channel.tailBytes += frame.bytes.length;
  while (channel.tail.length > TAIL_FRAMES || channel.tailBytes > TAIL_BYTES) {
    channel.tailBytes -= channel.tail.shift()?.bytes.length ?? 0;
  }
}
