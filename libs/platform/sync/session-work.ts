import { SetMetadata } from '@nestjs/common';
import type { SessionKind, SessionView } from './session.js';
import type { PageCommit } from './session-store.js';

/** What one page did. */
export type PageResult = Omit<PageCommit, 'entity'>;

/** Where the work stands in the session. */
export interface WorkContext {
  session: SessionView;
  entity: string;
  /** What the last committed page left; null at the beginning. */
  checkpoint: unknown;
  params: Record<string, unknown>;
  signal: AbortSignal;
}

/** A piece of work that is ready to be written in one transaction. */
export interface Page {
  /** Runs inside the page's transaction: rows, outcomes and events commit with the checkpoint or not at all. */
  apply(): Promise<PageResult>;
}

/**
 * What a kind of session does. The engine owns lease, transactions, retries, progress, cancel and the end; the
 * work only fetches pages and applies them. Pages are fetched one ahead of the page that is being written.
 */
export interface SessionWork {
  pages(context: WorkContext): AsyncIterable<Page>;
  /** In the transaction that ends the session, whatever way it ends: drop what only the session needed. */
  cleanUp?(sessionId: string): Promise<void>;
}

export const RUNS_SESSION = Symbol('runs session');

/** Marks the {@link SessionWork} of a kind. Each kind has at most one. */
export const RunsSession = (kind: SessionKind) => SetMetadata(RUNS_SESSION, kind);

/** An error that ends the session and is meant for people. */
export class SessionFailure extends Error {}
