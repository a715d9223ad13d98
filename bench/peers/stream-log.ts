import type { ServerResponse } from 'node:http';
import pg from 'pg';
import { serve, setting } from './peer-server.js';

/**
 * The least that a process which serves the event log must do: LISTEN, read what is new, make each event into bytes
 * once, write them to every reply. Any reader, no identity, no replay, no bound.
 */
const client = new pg.Client({ connectionString: setting('DATABASE_URL') });
await client.connect();
const replies = new Set<ServerResponse>();
const KEEP_ALIVE = Buffer.from(': keep-alive\n\n');

const { rows: heads } = await client.query<{ head: string | null }>(
  `select max(seq) as head from platform.event where stream = 'sales-invoices'`,
);
let head = Number(heads[0]?.head ?? 0);
let reading = false;
let again = false;

async function pump(): Promise<void> {
  again = true;
  if (reading) return;
  reading = true;
  while (again) {
    again = false;
    const { rows } = await client.query<{ seq: string; body: string }>({
      name: 'events',
      text: `select seq, body from platform.event where stream = 'sales-invoices' and seq > $1 order by seq limit 500`,
      values: [head],
    });
    for (const { seq, body } of rows) {
      const frame = Buffer.from(`id: sales-invoices.${seq}\ndata: ${body}\n\n`);
      for (const reply of replies) reply.write(frame);
      head = Number(seq);
    }
  }
  reading = false;
}

client.on('notification', () => void pump());
await client.query('listen instep_event');
setInterval(() => {
  for (const reply of replies) reply.write(KEEP_ALIVE);
}, 1000);

serve((_request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  response.write(': open\n\n');
  replies.add(response);
  response.on('close', () => replies.delete(response));
  return Promise.resolve();
});
