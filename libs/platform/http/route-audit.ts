import { Injectable, type OnModuleInit } from '@nestjs/common';
import { PATH_METADATA } from '@nestjs/common/constants.js';
import { DiscoveryService, MetadataScanner, Reflector } from '@nestjs/core';
import { ACCESS } from './access.js';

/** Refuses to boot with a route that says neither who may call it nor that it is public. */
@Injectable()
export class RouteAudit implements OnModuleInit {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly reflector: Reflector,
  ) {}

  onModuleInit(): void {
    const controllers = this.discovery
      .getControllers()
      .flatMap(({ metatype }) => (metatype ? [metatype] : []));
    const open = controllers.flatMap((controller) => this.unguarded(controller as new () => object));
    if (open.length > 0) throw new Error(`routes without @Roles or @Public: ${open.join(', ')}`);
  }

  private unguarded(controller: new () => object): string[] {
    const prototype = controller.prototype as Record<string, () => unknown>;
    return this.scanner
      .getAllMethodNames(prototype)
      .map((name) => ({ name, handler: prototype[name] as () => unknown }))
      .filter(({ handler }) => Reflect.hasMetadata(PATH_METADATA, handler))
      .filter(({ handler }) => this.reflector.getAllAndOverride(ACCESS, [handler, controller]) === undefined)
      .map(({ name }) => `${controller.name}.${name}`);
  }
}
