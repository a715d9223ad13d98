import { Controller, Get, Module, Post } from '@nestjs/common';
import { DiscoveryModule, NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Public, Roles } from '#platform/http/access.js';
import { RouteAudit } from '#platform/http/route-audit.js';

@Controller('closed')
class GuardedController {
  @Roles('viewer')
  @Get()
  read(): string {
    return 'x';
  }

  @Public()
  @Get('open')
  open(): string {
    return 'x';
  }

  helper(): string {
    return 'not a route';
  }
}

@Roles('admin')
@Controller('whole')
class GuardedAsAWholeController {
  @Get()
  read(): string {
    return 'x';
  }
}

@Controller('forgotten')
class ForgottenController {
  @Roles('viewer')
  @Get()
  read(): string {
    return 'x';
  }

  @Post()
  write(): string {
    return 'everybody may';
  }
}

/** A child says nothing of its own but inherits a route. */
class InheritedRoutes {
  @Get('inherited')
  inherited(): string {
    return 'everybody may';
  }
}
@Controller('child')
class ChildController extends InheritedRoutes {}

/** Boots a module with these controllers and the audit, as HttpModule does. */
async function boot(...controllers: (new () => object)[]): Promise<void> {
  @Module({ imports: [DiscoveryModule], controllers, providers: [RouteAudit] })
  class TinyModule {}
  const app = await NestFactory.create<NestFastifyApplication>(TinyModule, new FastifyAdapter(), {
    logger: false,
    abortOnError: false,
  });
  try {
    await app.init();
  } finally {
    await app.close();
  }
}

describe('a route that says neither who may call it nor that it is public', () => {
  it('stops the boot, and is named', async () => {
    await expect(boot(GuardedController, ForgottenController)).rejects.toThrow(
      'routes without @Roles or @Public: ForgottenController.write',
    );
  });

  it('stops the boot when it is inherited', async () => {
    await expect(boot(ChildController)).rejects.toThrow('ChildController.inherited');
  });

  it('is not one that is guarded by itself or by its controller', async () => {
    await expect(boot(GuardedController, GuardedAsAWholeController)).resolves.toBeUndefined();
  });
});
