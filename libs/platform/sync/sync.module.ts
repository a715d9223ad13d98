import { type DynamicModule, Global, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { Outcomes } from './outcomes.js';
import { CleanUpSession, SessionRecovery, StartSession } from './session-recovery.js';
import { SessionRunner } from './session-runner.js';
import { SessionStreams } from './session-streams.js';
import { SessionStore } from './session-store.js';

/** Sessions: the API creates and reads them, the worker runs them. */
@Global()
@Module({})
export class SyncModule {
  static with(role: 'api' | 'worker'): DynamicModule {
    return {
      module: SyncModule,
      imports: [DiscoveryModule],
      providers: [
        SessionStore,
        Outcomes,
        SessionStreams,
        ...(role === 'worker' ? [SessionRunner, StartSession, CleanUpSession, SessionRecovery] : []),
      ],
      exports: [SessionStore, Outcomes, SessionStreams],
    };
  }
}
