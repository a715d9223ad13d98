import { Global, Module } from '@nestjs/common';
import { TypeOrmModule, getDataSourceToken } from '@nestjs/typeorm';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { DataSource } from 'typeorm';
import { Config } from '../config/config.js';
import { LOGGER } from '../observability/observability.module.js';
import { Cipher } from './cipher.js';
import { Database } from './database.js';
import { Notifier } from './notifier.js';

/** Connections of one process; `npm start` (API and worker) stays far below PostgreSQL's default of 100. */
const POOL_SIZE = 20;

/** TypeORM on one pool, shared by entities and plain SQL, so that both join the same transactions. */
@Global()
@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      inject: [Config, LOGGER],
      useFactory: (config: Config, logger: Logger) => ({
        type: 'postgres' as const,
        url: config.databaseUrl,
        // Each module names its own by TypeOrmModule.forFeature.
        autoLoadEntities: true,
        applicationName: 'instep',
        poolSize: POOL_SIZE,
        poolErrorHandler: (error: unknown) => logger.warn({ err: error }, 'a database connection was lost'),
        // Triggers tell our writes, which announce themselves after commit, from another program's.
        extra: {
          connectionTimeoutMillis: 10_000,
          keepAlive: true,
          // Statements may be sent before the one ahead was answered (see Database.tx).
          pipeline: true,
          // A process that froze inside a transaction must not hold up those that take over its work.
          options: '-c instep.app=on -c idle_in_transaction_session_timeout=10s',
        },
      }),
    }),
  ],
  providers: [
    {
      provide: Database,
      inject: [getDataSourceToken()],
      useFactory: (source: DataSource) =>
        new Database(source, (source.driver as unknown as { master: Pool }).master),
    },
    Notifier,
    Cipher,
  ],
  exports: [Database, Notifier, Cipher],
})
export class PersistenceModule {}
