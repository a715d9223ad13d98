import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from './product.js';
import { connected } from './server.js';

export interface Session {
  session_id: string;
}

/** Sends a file as any client does. */
export async function upload(
  api: Api,
  type: string,
  content: Iterable<Buffer> | AsyncIterable<Buffer>,
  query: Record<string, string> = {},
): Promise<Session> {
  const response = await fetch(
    `${api.url}/api/sales/import/invoices/?${new URLSearchParams(query).toString()}`,
    {
      method: 'POST',
      headers: { ...api.headers, 'content-type': type },
      body: Readable.toWeb(Readable.from(content)) as ReadableStream,
      duplex: 'half',
    },
  );
  if (response.status !== 202) throw new Error(`upload: ${response.status} ${await response.text()}`);
  return (await response.json()) as Session;
}

export interface Finished {
  state: string;
  /** From the worker's start of the session to its end. */
  seconds: number;
  /** The end, by the database's clock, in epoch ms. */
  at: number;
}

/**
 * Waits for the end of a session.
 * @param clean whether every record must have been taken
 */
export async function finished(database: string, session: Session, clean: boolean): Promise<Finished> {
  return connected(database, async (client) => {
    for (;;) {
      const { rows } = await client.query<Finished>(
        `select state, extract(epoch from finished_at - started_at)::float8 as seconds,
                extract(epoch from finished_at)::float8 * 1000 as at
         from platform.session where id = $1 and finished_at is not null`,
        [session.session_id],
      );
      const [row] = rows;
      const good = clean ? ['completed'] : ['completed', 'completed_with_errors'];
      if (row && !good.includes(row.state)) throw new Error(`the import ended as ${row.state}`);
      if (row) return row;
      await sleep(100);
    }
  });
}
