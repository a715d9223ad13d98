import { Module } from '@nestjs/common';
import { ListOutcomesHandler } from './list-outcomes/list-outcomes.query.js';
import { ListSessionsHandler } from './list-sessions/list-sessions.query.js';
import { OperationsController } from './operations.controller.js';
import { SessionsController } from './sessions.controller.js';

/** One place for what runs and what is stuck. */
@Module({
  controllers: [SessionsController, OperationsController],
  providers: [ListSessionsHandler, ListOutcomesHandler],
})
export class OperationsModule {}
