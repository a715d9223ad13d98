import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Type } from 'class-transformer';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsObject, ValidateNested } from 'class-validator';
import { Audit } from '#platform/audit/audit.js';
import { Database } from '#platform/persistence/database.js';
import { type InvoiceDocument, readInvoice } from '../get-invoice/get-invoice.query.js';
import { InvoiceRows } from '../invoice-rows.js';
import { ItemBody, MAX_ITEMS } from '../invoice.dto.js';

/** Lines that are added after the last one. */
export class AddItemsBody {
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_ITEMS)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => ItemBody)
  items: ItemBody[];
}

export class AddItemsCommand {
  constructor(
    readonly id: string,
    readonly items: ItemBody[],
    readonly version: string | null,
  ) {}
}

@CommandHandler(AddItemsCommand)
export class AddItemsHandler implements ICommandHandler<AddItemsCommand, InvoiceDocument> {
  constructor(
    private readonly db: Database,
    private readonly rows: InvoiceRows,
    private readonly audit: Audit,
  ) {}

  async execute({ id, items, version }: AddItemsCommand): Promise<InvoiceDocument> {
    return this.db.tx(async () => {
      await this.rows.lock(id, version);
      await this.rows.appendItems(id, items);
      await this.rows.update(id, {});
      await this.audit.record('sales.invoice_items_added', `invoice:${id}`, { lines: items.length });
      return readInvoice(this.db, id);
    });
  }
}
