import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { migrate } from '#migrations/migrate.js';
import { Config, ConfigError } from '#platform/config/config.js';
import { readEnvironment } from '#platform/config/environment.js';
import { NestLogger, createLogger } from '#platform/observability/logger.js';
import { QueueModule } from '#platform/queue/queue.module.js';
import { WorkerModule } from './worker.module.js';

const logger = createLogger('worker', readEnvironment().LOG_LEVEL ?? 'info');

try {
  const config = Config.from(readEnvironment());
  await migrate(config.databaseUrl);
  const app = await NestFactory.createApplicationContext(WorkerModule.with(config, logger), {
    abortOnError: false,
    logger: new NestLogger(logger),
  });
  app.enableShutdownHooks(['SIGTERM', 'SIGINT']);
  // Whatever does not close by then (a Redis that is away) is left to the lease and the outbox.
  process.once('SIGTERM', () => setTimeout(() => process.exit(1), 9000).unref());
  process.once('disconnect', () => void app.close().finally(() => process.exit(0)));
  QueueModule.startWorkers(app);
  logger.info('the worker works');
} catch (error) {
  logger.fatal(
    error instanceof ConfigError ? { problems: error.problems } : { err: error },
    (error as Error).message,
  );
  process.exitCode = 1;
  setTimeout(() => process.exit(1), 500).unref();
}
