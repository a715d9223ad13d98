import { type DynamicModule, Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import type { Logger } from 'pino';
import { SalesModule } from '#modules/sales/sales.module.js';
import { AuditModule } from '#platform/audit/audit.module.js';
import type { Config } from '#platform/config/config.js';
import { ConfigModule } from '#platform/config/config.module.js';
import { ObservabilityModule } from '#platform/observability/observability.module.js';
import { PersistenceModule } from '#platform/persistence/persistence.module.js';
import { HousekeepingModule } from '#platform/queue/housekeeping.module.js';
import { QueueModule } from '#platform/queue/queue.module.js';
import { StreamsModule } from '#platform/streams/streams.module.js';
import { SyncModule } from '#platform/sync/sync.module.js';

/** Everything that works in the background: sessions, sequencer, schedules. */
@Module({})
export class WorkerModule {
  static with(config: Config, logger: Logger): DynamicModule {
    return {
      module: WorkerModule,
      imports: [
        ConfigModule.with(config),
        ObservabilityModule.with(logger, 'worker'),
        PersistenceModule,
        QueueModule.with('worker'),
        HousekeepingModule,
        AuditModule,
        StreamsModule.with('sequencer'),
        ScheduleModule.forRoot(),
        SyncModule.with('worker'),
        SalesModule.with('worker'),
      ],
    };
  }
}
