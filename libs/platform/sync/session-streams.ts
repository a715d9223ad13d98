import { Injectable } from '@nestjs/common';
import type { EventId } from '../streams/event-id.js';
import { EventLog } from '../streams/event-log.js';
import { SessionStore } from './session-store.js';
import { isFinal, sessionStream } from './session.js';

const SESSION_STREAM = /^session-([0-9a-f-]{36})$/;

/** Decides where a reader of a session's stream begins. */
@Injectable()
export class SessionStreams {
  constructor(
    private readonly sessions: SessionStore,
    private readonly log: EventLog,
  ) {}

  /**
   * @param last the reader's `Last-Event-ID`; of another session: the rest of that one is served
   * @returns null when the reader already has the terminal event
   */
  async open(
    sessionId: string,
    last: EventId | null,
  ): Promise<{ stream: string; after: number; farewell?: { seq: number; body: object } } | null> {
    const named = SESSION_STREAM.exec(last?.stream ?? '')?.[1];
    const session = await this.sessions.find(named ?? sessionId);
    if (!session) return named ? this.open(sessionId, null) : null;
    const stream = sessionStream(session.session_id);
    const { head, oldest } = await this.log.extent(stream);
    const over = isFinal(session.state);
    const read = last !== null && named !== undefined;
    if (over && read && last.seq >= head) return null;
    // Its events are no longer kept: the row still knows how it ended.
    if (over && oldest > head) return { stream, after: head, farewell: { seq: head, body: session } };
    // A snapshot first: the newest event is the present; a finished session shows its terminal event behind one.
    return { stream, after: read ? last.seq : Math.max(oldest - 1, head - (over ? 2 : 1)) };
  }
}
