import { BullModule, BullRegistrar } from '@nestjs/bullmq';
import { type DynamicModule, Global, Module } from '@nestjs/common';
import { DiscoveryModule, type ModuleRef } from '@nestjs/core';
import { JobQueue } from './job-queue.js';
import { JobRegistry } from './job-registry.js';
import { QUEUES } from './job.js';
import { EventsProcessor, MaintenanceProcessor, SessionsProcessor } from './processors.js';
import { QueueConnection } from './queue-connection.js';
import { Schedules } from './schedules.js';

@Global()
@Module({ providers: [QueueConnection], exports: [QueueConnection] })
class QueueConnectionModule {}

/** Adds jobs in every process; runs them only where {@link startWorkers} was called. */
@Global()
@Module({})
export class QueueModule {
  static with(role: 'producer' | 'worker'): DynamicModule {
    return {
      module: QueueModule,
      imports: [
        DiscoveryModule,
        QueueConnectionModule,
        BullModule.forRootAsync({
          inject: [QueueConnection],
          useFactory: async (connection: QueueConnection) => ({ connection: await connection.open() }),
          extraOptions: { manualRegistration: true },
        }),
        BullModule.registerQueue(...QUEUES.map((name) => ({ name }))),
      ],
      providers: [
        JobQueue,
        Schedules,
        ...(role === 'worker' ? [JobRegistry, SessionsProcessor, EventsProcessor, MaintenanceProcessor] : []),
      ],
      exports: [JobQueue, Schedules],
    };
  }

  /** Begins to take jobs. Called last, when everything else of the worker stands. */
  static startWorkers(app: Pick<ModuleRef, 'get'>): void {
    app.get(BullRegistrar, { strict: false }).register();
  }
}
