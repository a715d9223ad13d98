import { type DynamicModule, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import type { Logger } from 'pino';
import { IdentityModule } from '#modules/identity/identity.module.js';
import { OperationsModule } from '#modules/operations/operations.module.js';
import { SalesModule } from '#modules/sales/sales.module.js';
import { AuditModule } from '#platform/audit/audit.module.js';
import type { Config } from '#platform/config/config.js';
import { ConfigModule } from '#platform/config/config.module.js';
import { HttpModule } from '#platform/http/http.module.js';
import { ObservabilityModule } from '#platform/observability/observability.module.js';
import { PersistenceModule } from '#platform/persistence/persistence.module.js';
import { QueueModule } from '#platform/queue/queue.module.js';
import { StreamsModule } from '#platform/streams/streams.module.js';
import { SyncModule } from '#platform/sync/sync.module.js';

/** The HTTP door: routes, streams, and nothing that works in the background. */
@Module({})
export class ApiModule {
  static with(config: Config, logger: Logger): DynamicModule {
    return {
      module: ApiModule,
      imports: [
        ConfigModule.with(config),
        ObservabilityModule.with(logger, 'api'),
        PersistenceModule,
        QueueModule.with('producer'),
        AuditModule,
        StreamsModule.with('reader'),
        SyncModule.with('api'),
        HttpModule,
        CqrsModule.forRoot(),
        IdentityModule,
        SalesModule.with('api'),
        OperationsModule,
      ],
    };
  }
}
