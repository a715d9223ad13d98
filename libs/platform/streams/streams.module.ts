import { type DynamicModule, Global, Module } from '@nestjs/common';
import { EventLog } from './event-log.js';
import { Outbox } from './outbox.js';
import { Sequencer } from './sequencer.js';
import { StreamHub } from './stream-hub.js';

/** The API serves streams; the worker fills them. */
@Global()
@Module({})
export class StreamsModule {
  static with(role: 'reader' | 'sequencer'): DynamicModule {
    const providers = [Outbox, EventLog, ...(role === 'reader' ? [StreamHub] : [Sequencer])];
    return { module: StreamsModule, providers, exports: providers };
  }
}
