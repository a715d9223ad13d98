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
  async open(sessionId: string, last: EventId | null): Promise<{ stream: string; after: number } | null> {
    const named = SESSION_STREAM.exec(last?.stream ?? '')?.[1];
    const session = await this.sessions.find(named ?? sessionId);
    if (!session) return this.open(sessionId, null);
    const stream = sessionStream(session.session_id);
    const { head } = await this.log.extent(stream);
    if (!last || !named) {
      // A snapshot first: the newest event is the present; a finished session shows its terminal event behind one.
      return { stream, after: Math.max(0, head - (isFinal(session.state) ? 2 : 1)) };
    }
    return isFinal(session.state) && last.seq >= head ? null : { stream, after: last.seq };
  }
}
