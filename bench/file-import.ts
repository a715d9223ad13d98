import { Readable } from 'node:stream';
import type { Api } from './product.js';

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
  const response = await fetch(`${api.url}/api/sales/import/invoices/?${new URLSearchParams(query).toString()}`, {
    method: 'POST',
    headers: { ...api.headers, 'content-type': type },
    body: Readable.toWeb(Readable.from(content)) as ReadableStream,
    duplex: 'half',
  } as RequestInit);
  if (response.status !== 202) throw new Error(`upload: ${response.status} ${await response.text()}`);
  return (await response.json()) as Session;
}
