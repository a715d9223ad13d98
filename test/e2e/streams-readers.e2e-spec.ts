import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { type TestApi, startApi } from '#testing/app.js';
import type { Client } from '#testing/http-client.js';
import { STREAM, imported, otherProgram } from './sales-http.js';

/** Readers that are not as they should be. */
let api: TestApi;
let operator: Client;

beforeAll(async () => {
  api = await startApi({ worker: true });
  operator = await api.client('operator');
});
afterAll(() => api.close());

const readers = async () => {
  const { body } = await operator.get<string>('/metrics');
  return Number(/^instep_stream_readers (\d+)$/m.exec(String(body))?.[1]);
};
async function until(holds: () => Promise<boolean>, ms = 5000): Promise<void> {
  for (const end = Date.now() + ms; !(await holds());) {
    if (Date.now() > end) throw new Error('it did not come to that');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
/** Opens the stream on a bare socket, to read from it or not. */
function bare() {
  const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
  socket.write(
    `GET ${STREAM} HTTP/1.1\r\nHost: x\r\nAuthorization: ${operator.headers.authorization}\r\n\r\n`,
  );
  return socket;
}

it('one that takes nothing for a while gets everything once and in order when it goes on', async () => {
  const socket = bare();
  await until(async () => (await readers()) === 1);
  socket.pause();
  const count = 12_000;
  const other = await otherProgram(api);
  await other.query(`insert into sales.customer (code) values ('SLOW')`);
  await other.query(
    `insert into sales.invoice (invoice_no, invoice_date, customer_id, remarks)
     select 'SLOW-' || n, '2026-01-02', (select id from sales.customer where code = 'SLOW'), repeat('x', 2000) from generate_series(1, $1) n`,
    [count],
  );
  await until(
    async () => (await other.query('select 1 from platform.outbox limit 1')).rowCount === 0,
    20_000,
  );
  await other.end();
  const seen: string[] = [];
  let rest = '';
  socket.setEncoding('utf8').on('data', (part: string) => {
    const lines = (rest + part).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const number = /"invoice_no":"(SLOW-\d+)"/.exec(line)?.[1];
      if (number) seen.push(number);
      else if (line.includes('"reset"')) seen.push('reset');
    }
  });
  socket.resume();
  await until(() => Promise.resolve(seen.length >= count), 20_000);
  expect(seen).toEqual(Array.from({ length: count }, (_, i) => `SLOW-${i + 1}`));
  socket.destroy();
});

it('one that hangs up, in whatever way, is forgotten', async () => {
  await until(async () => (await readers()) === 0);
  const sockets = Array.from({ length: 20 }, bare);
  await until(async () => (await readers()) === 20);
  sockets.forEach((socket, i) => (i % 2 ? socket.destroy() : socket.resetAndDestroy()));
  await until(async () => (await readers()) === 0);
});

it('one that asks for the headers only gets them, and its connection goes on', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (method: string, path: string) =>
    new Promise<number>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to ${method} ${path}`)), 3000);
      request(api.url + path, { method, agent, headers: operator.headers }, (response) => {
        clearTimeout(timer);
        response.resume().on('end', () => resolve(response.statusCode ?? 0));
      })
        .on('error', reject)
        .end();
    });
  expect([200, 404, 405]).toContain(await ask('HEAD', STREAM));
  expect(await ask('GET', '/health')).toBe(200);
  agent.destroy();
  await until(async () => (await readers()) === 0);
});

it('many at once all get everything', async () => {
  const seen = Array.from({ length: 150 }, () => 0);
  const sockets = seen.map((_, i) => {
    const socket = bare();
    socket.on(
      'data',
      (part: Buffer) =>
        (seen[i] = (seen[i] ?? 0) + (part.toString().match(/"invoice_no":"MANY-/g)?.length ?? 0)),
    );
    return socket;
  });
  await until(async () => (await readers()) === 150);
  for (let n = 0; n < 5; n++) await imported(operator, { invoice_no: `MANY-${n}` });
  await until(() => Promise.resolve(seen.every((count) => count === 5)));
  for (const socket of sockets) socket.destroy();
});
