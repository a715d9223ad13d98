import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a peer tells the bench when it is up. */
export interface PeerReady {
  port: number;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Bare `node:http`: no framework, no identity, no checks. Says its port to the bench, ends with it. */
export function serve(handler: Handler): void {
  process.on('disconnect', () => process.exit(0));
  const server = createServer((request, response) => {
    handler(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 2048 }, () => {
    process.send?.({ port: (server.address() as AddressInfo).port } satisfies PeerReady);
  });
}

export function sendJson(response: ServerResponse, text: string, status = 200): void {
  response
    .writeHead(status, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(text),
    })
    .end(text);
}

export async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}

export function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}
