import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Audit } from '#platform/audit/audit.js';
import { Database } from '#platform/persistence/database.js';
import { Outbox } from '#platform/streams/outbox.js';
import { InvoiceRows } from '../invoice-rows.js';

/** Marks an invoice as deleted; it stays in the database and its number stays taken. */
export class DeleteInvoiceCommand {
  constructor(
    readonly id: string,
    readonly version: string | null,
  ) {}
}

@CommandHandler(DeleteInvoiceCommand)
export class DeleteInvoiceHandler implements ICommandHandler<DeleteInvoiceCommand, void> {
  constructor(
    private readonly db: Database,
    private readonly rows: InvoiceRows,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
  ) {}

  async execute({ id, version }: DeleteInvoiceCommand): Promise<void> {
    await this.db.tx(async () => {
      await this.rows.lock(id, version);
      await this.db.execute(
        'update sales.invoice set deleted_at = platform.now(), version = version + 1 where id = $1',
        [id],
      );
      await this.audit.record('sales.invoice_deleted', `invoice:${id}`);
      this.outbox.announce();
    });
  }
}
