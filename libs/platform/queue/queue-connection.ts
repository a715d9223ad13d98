import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { createPostgresBackend, runMigrations, setDefaultBackendFactory } from 'bullmq';
import type { ConnectionOptions } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import type { Logger } from 'pino';
import { Config } from '../config/config.js';
import { LOGGER } from '../observability/observability.module.js';

/**
 * Each worker holds one connection of the pool for good (LISTEN): three workers and the work they do. Too small a
 * pool would stop everything without an error, hence the time-out.
 */
const PG_POOL_SIZE = 10;

/** Behind the queue: Redis or Valkey when REDIS_URL is set, otherwise the product's own PostgreSQL. */
@Injectable()
export class QueueConnection implements OnApplicationShutdown {
  private pool: pg.Pool | undefined;
  private redis: Redis | undefined;

  constructor(
    private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** BullMQ's types know Redis only; the one cast stands here. */
  async open(): Promise<ConnectionOptions> {
    if (this.config.redisUrl) {
      this.redis = new Redis(this.config.redisUrl, { maxRetriesPerRequest: null });
      this.redis.on('error', (error) =>
        this.logger.warn({ err: error }, 'the queue lost its Redis connection'),
      );
      return this.redis;
    }
    setDefaultBackendFactory(createPostgresBackend as never);
    this.pool = new pg.Pool({
      connectionString: this.config.databaseUrl,
      application_name: 'instep-queue',
      max: PG_POOL_SIZE,
      options: '-c search_path=bullmq',
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
    });
    this.pool.setMaxListeners(0);
    this.pool.on('error', (error) =>
      this.logger.warn({ err: error }, 'the queue lost a database connection'),
    );
    const client = await this.pool.connect();
    try {
      await runMigrations(client, 'bullmq');
    } finally {
      client.release();
    }
    return this.pool;
  }

  /** BullMQ closes its queues and workers first (they end in an earlier hook) but never what it was given. */
  async onApplicationShutdown(): Promise<void> {
    await this.redis?.quit().catch(() => undefined);
    await this.pool?.end().catch(() => undefined);
  }
}
