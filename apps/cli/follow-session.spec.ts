import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { followSession, parseEvent } from './follow-session.js';

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(
  answer: (request: IncomingMessage, response: ServerResponse, visit: number) => void,
): Promise<string> {
  let visit = 0;
  const listening = createServer((request, response) => answer(request, response, ++visit));
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}/stream`;
}

function frame(id: string, data: object): string {
  return `id: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}

describe('following a session', () => {
  it('goes on after a broken stream from the last event that it saw', async () => {
    const seen: (string | undefined)[] = [];
    const url = await serve((request, response, visit) => {
      seen.push(request.headers['last-event-id']?.toString());
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': keep-alive\n\n');
      if (visit === 1) {
        response.write(frame('s.1', { state: 'in_progress', progress: 0.5, processed: 5, total: 10 }), () =>
          response.destroy(),
        );
      } else {
        response.end(frame('s.2', { state: 'completed', progress: 1, processed: 10, total: 10 }));
      }
    });
    const last = await followSession({ url, headers: {}, label: 'Importing' });
    expect(last).toMatchObject({ state: 'completed', processed: 10 });
    expect(seen).toEqual([undefined, 's.1']);
  });

  it('waits through a server that is being restarted', async () => {
    const url = await serve((_request, response, visit) => {
      if (visit === 1) return response.writeHead(503).end();
      return response.end(
        frame('s.1', { state: 'failed', progress: null, processed: 0, total: null, error: 'no' }),
      );
    });
    expect(await followSession({ url, headers: {}, label: 'Importing' })).toMatchObject({
      state: 'failed',
      error: 'no',
    });
  });

  it('does not ask again when it is refused', async () => {
    let visits = 0;
    const url = await serve((_request, response, visit) => {
      visits = visit;
      response.writeHead(404).end('{"code":"session.unknown"}');
    });
    await expect(followSession({ url, headers: {}, label: 'Importing' })).rejects.toThrow(
      /refused with 404.*session.unknown/,
    );
    expect(visits).toBe(1);
  });

  it('reads frames as the standard has them', () => {
    expect(parseEvent(': keep-alive')).toBeUndefined();
    expect(parseEvent('id: a.1\r\ndata: {"state":\r\ndata: "completed"}')).toEqual({
      id: 'a.1',
      data: { state: 'completed' },
    });
    expect(parseEvent('data:{"processed":1}')).toEqual({ id: undefined, data: { processed: 1 } });
  });
});
