import pg from 'pg';
import { followSession, type SessionFrame } from '../cli/follow-session.js';
import { samplesAsNdjson } from './samples.js';

const ANSWER_MS = 30_000;

/** Where and as whom the samples are imported. */
export interface FirstRunOptions {
  /** The API, as reached on this machine. */
  url: string;
  databaseUrl: string;
  email: string;
  password: string;
  say: (line: string) => void;
  output: NodeJS.WriteStream;
  signal?: AbortSignal;
}

/**
 * Notes that the samples are still to come, unless they came before.
 * @returns true when this installation never finished its first run
 */
export async function beginFirstRun(databaseUrl: string): Promise<boolean> {
  const rows = await run<{ first_run: string }>(
    databaseUrl,
    `update platform.installation set first_run = 'pending' where first_run is distinct from 'done' returning first_run`,
  );
  return rows.length > 0;
}

/**
 * Imports the sample invoices through the API, as any client would. What goes wrong is told and does not stop the
 * start; the first run is over either way, so that samples never appear among an operator's own data later.
 */
export async function runFirstRun(options: FirstRunOptions): Promise<void> {
  try {
    const last = await importSamples(options);
    if (last.state !== 'completed') {
      const why = last.error ? `: ${last.error}` : '';
      options.say(`The import of the samples ended as "${last.state}" (${last.failed ?? 0} failed)${why}.`);
    }
  } catch (error) {
    // Stopped by the operator: the next start takes it up again (an import of the same invoices changes nothing).
    if (options.signal?.aborted) return;
    options.say(`The samples could not be imported: ${(error as Error).message}`);
  }
  await run(options.databaseUrl, `update platform.installation set first_run = 'done'`);
}

async function importSamples(options: FirstRunOptions): Promise<SessionFrame> {
  const login = await post<{ access_token: string }>(options, '/api/identity/login', 'application/json', {
    body: JSON.stringify({ email: options.email, password: options.password }),
  });
  const headers = { authorization: `Bearer ${login.access_token}` };
  const started = await post<{ stream_url: string }>(
    options,
    '/api/sales/import/invoices/',
    'application/x-ndjson',
    {
      body: samplesAsNdjson(),
      headers,
    },
  );
  // The link carries the public origin, which may not be reachable from here (a proxy that is not up yet).
  const stream = new URL(started.stream_url, options.url);
  const url = new URL(stream.pathname + stream.search, options.url).href;
  return followSession({
    url,
    headers,
    label: 'Importing sample invoices',
    output: options.output,
    signal: options.signal,
  });
}

async function post<T>(
  options: FirstRunOptions,
  path: string,
  type: string,
  request: { body: string; headers?: Record<string, string> },
): Promise<T> {
  const response = await fetch(new URL(path, options.url), {
    method: 'POST',
    body: request.body,
    headers: { 'content-type': type, ...request.headers },
    signal: AbortSignal.any([AbortSignal.timeout(ANSWER_MS), ...(options.signal ? [options.signal] : [])]),
  });
  const answer: unknown = await response.json().catch(() => ({}));
  if (response.ok) return answer as T;
  const { detail, title } = answer as { detail?: string; title?: string };
  throw new Error(`${path} answered ${response.status}${(detail ?? title) ? ` (${detail ?? title})` : ''}`);
}

async function run<T extends pg.QueryResultRow>(databaseUrl: string, sql: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<T>(sql)).rows;
  } finally {
    await client.end();
  }
}
