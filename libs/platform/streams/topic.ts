import type { JobDefinition } from '../queue/job.js';

/** What a subscriber is handed: one event of the outbox. `id` grows, and orders events of one aggregate. */
export interface DomainEvent {
  id: string;
  topic: string;
  type: string;
  aggregateId: string;
  /** Parsed body, or null where the topic is rendered after commit: ask the owner's contract for the present. */
  body: unknown;
}

/** A kind of thing that happens. */
export interface Topic {
  readonly name: string;
  /** The stream that shows it to readers, or null for a topic that only has subscribers. */
  readonly stream: string | null;
  /**
   * SQL function `(aggregate_ids text[], types text[]) -> table (ord bigint, body text)` that renders a batch
   * after commit, for rows written without a body (by triggers).
   */
  readonly render: string | null;
}

export interface Subscriber {
  readonly topic: Topic;
  readonly job: JobDefinition<DomainEvent>;
}

const topics = new Map<string, Topic>();
const subscribers: Subscriber[] = [];

const IDENTIFIER = /^[a-z_]+\.[a-z_]+$/;

/** Declares a topic at import time. Names are constants of the code, never input. */
export function defineTopic(name: string, options: { stream?: string; render?: string } = {}): Topic {
  if (topics.has(name)) throw new Error(`topic "${name}" is defined twice`);
  if (options.render && !IDENTIFIER.test(options.render))
    throw new Error(`"${options.render}" is not schema.function`);
  const topic: Topic = { name, stream: options.stream ?? null, render: options.render ?? null };
  topics.set(name, topic);
  return topic;
}

/** Hands every event of a topic to a job, at least once. */
export function subscribe(topic: Topic, job: JobDefinition<DomainEvent>): void {
  subscribers.push({ topic, job });
}

export const streamTopics = (): Topic[] => [...topics.values()].filter((topic) => topic.stream !== null);
export const subscribersOf = (topic: string): Subscriber[] =>
  subscribers.filter((s) => s.topic.name === topic);
