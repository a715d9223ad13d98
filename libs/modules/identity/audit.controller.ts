import { Controller, Get, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { Roles } from '#platform/http/access.js';
import { AuditPage, ListAuditQuery } from './list-audit/list-audit.query.js';

@ApiTags('identity')
@Controller('identity/audit')
export class AuditController {
  constructor(private readonly queries: QueryBus) {}

  /**
   * Read the audit log
   *
   * @remarks Who changed what, when and from where: every action that changed something, newest first. Nobody can change or delete an entry.
   * @throws {400} A parameter is malformed or unknown (`request.invalid`)
   * @throws {401} No identity, or not a valid one (`access.unauthenticated`, `access.invalid_token`)
   * @throws {403} Administrators only (`access.forbidden`)
   */
  @Get()
  @Roles('admin')
  list(@Query() query: ListAuditQuery): Promise<AuditPage> {
    return this.queries.execute<ListAuditQuery, AuditPage>(query);
  }
}
