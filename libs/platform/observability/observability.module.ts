import { type DynamicModule, Global, Module } from '@nestjs/common';
import { Config } from '../config/config.js';
import type { Logger } from 'pino';
import { Metrics } from './metrics.js';
import { Tracing } from './tracing.js';

/** Injection token of the process's pino logger. */
export const LOGGER = Symbol('LOGGER');

@Global()
@Module({})
export class ObservabilityModule {
  /** @param service names the process in traces */
  static with(logger: Logger, service: string): DynamicModule {
    return {
      module: ObservabilityModule,
      providers: [
        { provide: LOGGER, useValue: logger },
        Metrics,
        {
          provide: Tracing,
          inject: [Config],
          useFactory: (config: Config) => new Tracing(service, config.otlpEndpoint),
        },
      ],
      exports: [LOGGER, Metrics],
    };
  }
}
