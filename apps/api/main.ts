import 'reflect-metadata';
import { migrate } from '#migrations/migrate.js';
import { Config, ConfigError } from '#platform/config/config.js';
import { readEnvironment } from '#platform/config/environment.js';
import { createHttpApp } from '#platform/http/http-app.js';
import { createLogger } from '#platform/observability/logger.js';
import { ApiModule } from './api.module.js';

const logger = createLogger('api', readEnvironment().LOG_LEVEL ?? 'info');

try {
  const config = Config.from(readEnvironment());
  await migrate(config.databaseUrl);
  const app = await createHttpApp(ApiModule.with(config, logger), config, logger);
  app.enableShutdownHooks(['SIGTERM', 'SIGINT']);
  // Whatever does not close by then (a Redis that is away) is left to the lease and the outbox.
  process.once('SIGTERM', () => setTimeout(() => process.exit(1), 9000).unref());
  // Started by `npm start`: when that is gone, so is the embedded database.
  process.once('disconnect', () => void app.close().finally(() => process.exit(0)));
  await app.listen(config.port, config.host);
  logger.info({ port: config.port }, 'the API listens');
} catch (error) {
  logger.fatal(
    error instanceof ConfigError ? { problems: error.problems } : { err: error },
    (error as Error).message,
  );
  process.exitCode = 1;
  setTimeout(() => process.exit(1), 500).unref();
}
