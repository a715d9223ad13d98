import type { Server } from 'node:http';
import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';

/** Requests that take longer than this to answer do not hold up a shutdown. */
const DRAIN_MS = 4000;

/** Lets requests under way be answered, for a while. Connections that fall idle are closed at once. */
@Injectable()
export class Drain implements BeforeApplicationShutdown {
  constructor(private readonly host: HttpAdapterHost) {}

  beforeApplicationShutdown(): void {
    const server = this.host.httpAdapter.getHttpServer() as Server;
    const idle = setInterval(() => server.closeIdleConnections(), 50).unref();
    setTimeout(() => {
      clearInterval(idle);
      server.closeAllConnections();
    }, DRAIN_MS).unref();
    server.once('close', () => clearInterval(idle));
  }
}
