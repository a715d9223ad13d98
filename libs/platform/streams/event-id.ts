/** Position in a stream as readers see it: `<stream>.<sequence>`. */
export interface EventId {
  stream: string;
  seq: number;
}

/** What a reader sends as `Last-Event-ID`; null when there is none or it is not one of ours. */
export function parseEventId(header: string | string[] | undefined): EventId | null {
  const match = typeof header === 'string' ? /^([a-z0-9-]{1,80})\.(\d{1,15})$/.exec(header) : null;
  return match?.[1] && match[2] ? { stream: match[1], seq: Number(match[2]) } : null;
}
