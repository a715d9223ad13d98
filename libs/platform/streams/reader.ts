import type { ServerResponse } from 'node:http';

/** One event as it goes over the wire; its bytes are made once and shared by all readers. */
export interface Frame {
  seq: number;
  bytes: Buffer;
  last: boolean;
}

/** Unsent bytes beyond which a reader is taken off the live frames until its connection has drained. */
const FULL_BYTES = 256 * 1024;
/** A connection that takes nothing for this long is closed; the reader resumes by id. */
const STALLED_MS = 30_000;

/** One open reply. */
export class Reader {
  /** The number of the last event written. */
  sent = 0;
  /** True while `sent` is the head and broadcasts reach it. */
  live = false;
  gone = false;

  constructor(
    readonly raw: ServerResponse,
    readonly owner: string | null,
    private readonly complete: () => void,
  ) {}

  get isFull(): boolean {
    return this.raw.writableLength > FULL_BYTES;
  }

  write(frame: Frame): void {
    if (!this.raw.destroyed) this.raw.write(frame.bytes);
    this.sent = frame.seq;
  }

  /** Ends the stream in good order, after what was written. */
  end(): void {
    this.gone = true;
    this.complete();
  }

  /** Closes the connection at once. */
  cut(): void {
    this.gone = true;
    this.raw.destroy();
  }

  /** Resolves when the connection has taken everything; a stalled one is cut. */
  async drained(): Promise<void> {
    if (!this.raw.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      const settle = () => {
        clearTimeout(timer);
        this.raw.off('drain', settle).off('close', settle);
        resolve();
      };
      const timer = setTimeout(() => {
        this.cut();
        settle();
      }, STALLED_MS);
      this.raw.once('drain', settle).once('close', settle);
    });
  }
}
