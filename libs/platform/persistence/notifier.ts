import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Client } from 'pg';
import type { Logger } from 'pino';
import { Config } from '../config/config.js';
import { LOGGER } from '../observability/observability.module.js';
import { Database } from './database.js';

/** What a notice may wake. Notices carry no data: whoever wakes reads the tables. */
export type Channel = 'instep_outbox' | 'instep_event' | 'instep_session' | 'instep_identity';

/** Notices of one transaction burst are sent once, this long after its first commit. */
const GATHER_MS = 3;
const RETRY_MS = 500;

/**
 * LISTEN and NOTIFY. Notices are hints sent after commit (a NOTIFY inside a transaction makes all commits queue
 * behind one lock); a lost one costs time, never facts, so every listener also looks by itself now and then.
 */
@Injectable()
export class Notifier implements OnApplicationShutdown {
  private readonly emitter = new EventEmitter().setMaxListeners(0);
  private readonly pending = new Set<Channel>();
  private readonly channels = new Set<Channel>();
  private client: Client | undefined;
  private connecting: Promise<void> | undefined;
  private sending = false;
  private stopped = false;

  constructor(
    private readonly config: Config,
    private readonly db: Database,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Wakes the listeners of every process, after the transaction at hand has committed. */
  poke(channel: Channel): void {
    this.db.afterCommit(() => {
      if (this.pending.size === 0) setTimeout(() => void this.flush(), GATHER_MS);
      this.pending.add(channel);
    });
  }

  /** Calls `listener` on each notice, and after each reconnection since notices may have been missed. */
  async listen(channel: Channel, listener: () => void): Promise<() => void> {
    this.emitter.on(channel, listener);
    if (!this.channels.has(channel)) {
      this.channels.add(channel);
      if (this.client) await this.client.query(`LISTEN ${channel}`);
      else await (this.connecting ??= this.connect());
    }
    return () => this.emitter.off(channel, listener);
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    await this.client?.end().catch(() => undefined);
  }

  /** One at a time: what is poked while a notice is on its way goes with the next. */
  private async flush(): Promise<void> {
    if (this.sending) return;
    this.sending = true;
    try {
      while (this.pending.size > 0 && !this.stopped) {
        const channels = [...this.pending];
        this.pending.clear();
        await this.send(channels).catch((error: unknown) => {
          for (const channel of channels) this.pending.add(channel);
          throw error;
        });
      }
    } catch (error) {
      this.logger.warn({ err: error }, 'a notice could not be sent');
    } finally {
      this.sending = false;
      if (this.pending.size > 0 && !this.stopped) setTimeout(() => void this.flush(), RETRY_MS);
    }
  }

  /** On the listening connection, whose commits wait for no disk: a notice that is lost is only late. */
  private async send(channels: Channel[]): Promise<void> {
    if (!this.client) await (this.connecting ??= this.connect());
    await this.client?.query({
      name: 'notify',
      text: `select pg_notify(channel, '') from unnest($1::text[]) channel`,
      values: [channels],
    });
  }

  private async connect(): Promise<void> {
    while (!this.stopped) {
      const client = new Client({
        connectionString: this.config.databaseUrl,
        application_name: 'instep-listen',
        keepAlive: true,
        options: '-c synchronous_commit=off',
      });
      client.on('error', () => undefined);
      try {
        await client.connect();
        for (const channel of this.channels) await client.query(`LISTEN ${channel}`);
        client.on('notification', ({ channel }) => this.emitter.emit(channel));
        client.once('end', () => this.reconnect());
        this.client = client;
        for (const channel of this.channels) this.emitter.emit(channel);
        return;
      } catch (error) {
        this.logger.warn({ err: error }, 'cannot listen for notices; trying again');
        await client.end().catch(() => undefined);
        await sleep(250 + Math.random() * 250);
      }
    }
  }

  private reconnect(): void {
    this.client = undefined;
    if (!this.stopped) this.connecting = this.connect();
  }
}
