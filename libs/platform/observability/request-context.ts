import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { TraceCarrier } from './tracing.js';

/** Who acts. `id` is null for the system itself. */
export interface Actor {
  kind: 'user' | 'api_key' | 'system';
  id: string | null;
  label: string;
}

/** What travels with one request or job, however deep the call. */
export interface RequestContext {
  correlationId: string;
  actor: Actor;
  address: string | null;
  /** The trace that its jobs go on in, when traces are on. */
  trace?: TraceCarrier;
}

export const SYSTEM: Actor = { kind: 'system', id: null, label: 'system' };

const storage = new AsyncLocalStorage<RequestContext>();

/** The context of the request or job at hand; outside of both, the system's own. */
export function currentContext(): RequestContext {
  return storage.getStore() ?? { correlationId: 'none', actor: SYSTEM, address: null };
}

export function runInContext<T>(context: Partial<RequestContext>, work: () => T): T {
  return storage.run({ correlationId: randomUUID(), actor: SYSTEM, address: null, ...context }, work);
}

/** The identity is known only after the guard ran, so it is written into the request's context then. */
export function actAs(actor: Actor): void {
  const store = storage.getStore();
  if (store) store.actor = actor;
}
