/** One event as it came. */
export interface ReceivedEvent {
  id: string;
  data: Record<string, unknown>;
}

/** Reads an event stream over real HTTP, as a browser's EventSource does but with headers. */
export class SseReader {
  readonly events: ReceivedEvent[] = [];
  status = 0;
  comments = 0;
  closed = false;
  private readonly abort = new AbortController();
  private readonly waiting = new Set<() => void>();
  private done: Promise<void> = Promise.resolve();

  static async open(url: string, headers: Record<string, string> = {}): Promise<SseReader> {
    const reader = new SseReader();
    const response = await fetch(url, { headers, signal: reader.abort.signal });
    reader.status = response.status;
    reader.done = reader.read(response).catch(() => undefined);
    return reader;
  }

  get lastId(): string | undefined {
    return this.events.at(-1)?.id;
  }

  /** Resolves once `enough` holds; rejects after `ms`. */
  async until(enough: () => boolean, ms = 15_000): Promise<void> {
    const deadline = Date.now() + ms;
    while (!enough()) {
      if (Date.now() > deadline)
        throw new Error(
          `after ${ms} ms: ${this.events.length} events, last ${JSON.stringify(this.events.at(-1))}`,
        );
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 50);
        this.waiting.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
      this.waiting.clear();
    }
  }

  /** Resolves when the server ended the stream. */
  ended(): Promise<void> {
    return this.done;
  }

  /** Cuts the connection, as a lost network does. */
  async cut(): Promise<void> {
    this.abort.abort();
    await this.done;
  }

  private async read(response: Response): Promise<void> {
    try {
      let rest = '';
      const decoder = new TextDecoder();
      for await (const part of response.body ?? []) {
        rest += decoder.decode(part as Uint8Array, { stream: true });
        const frames = rest.split('\n\n');
        rest = frames.pop() ?? '';
        for (const frame of frames) this.take(frame);
        for (const wake of this.waiting) wake();
      }
    } finally {
      this.closed = true;
      for (const wake of this.waiting) wake();
    }
  }

  private take(frame: string): void {
    let id = '';
    let data = '';
    for (const line of frame.split('\n')) {
      if (line.startsWith(':')) this.comments++;
      else if (line.startsWith('id: ')) id = line.slice(4);
      else if (line.startsWith('data: ')) data += line.slice(6);
    }
    if (data !== '') this.events.push({ id, data: JSON.parse(data) as Record<string, unknown> });
  }
}
