import { Controller, Get, Global, Module, Redirect } from '@nestjs/common';
import { APP_GUARD, DiscoveryModule } from '@nestjs/core';
import { ApiExcludeController } from '@nestjs/swagger';
import { AccessGuard } from './access.guard.js';
import { Drain } from './drain.js';
import { Public } from './access.js';
import { HealthController } from './health.controller.js';
import { Idempotency } from './idempotency.js';
import { MetricsController } from './metrics.controller.js';
import { RouteAudit } from './route-audit.js';

@ApiExcludeController()
@Controller('/')
class RootController {
  @Public()
  @Get()
  @Redirect('/docs', 302)
  home(): void {
    // Until there is a console, the documentation is the front page.
  }
}

/** What every route shares: the guard, idempotency, health and metrics. */
@Global()
@Module({
  imports: [DiscoveryModule],
  controllers: [RootController, HealthController, MetricsController],
  providers: [{ provide: APP_GUARD, useClass: AccessGuard }, Idempotency, RouteAudit, Drain],
  exports: [Idempotency],
})
export class HttpModule {}
