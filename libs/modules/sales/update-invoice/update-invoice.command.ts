import { OmitType, PartialType } from '@nestjs/swagger';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsObject, ValidateNested } from 'class-validator';
import { Type } from 'class-transformer';
import { Audit } from '#platform/audit/audit.js';
import { invalid } from '#platform/errors/app-error.js';
import { IfGiven } from '#platform/http/if-given.js';
import { IsRealDate } from '#platform/http/real-date.js';
import { Database } from '#platform/persistence/database.js';
import { type InvoiceDocument, readInvoice } from '../get-invoice/get-invoice.query.js';
import { InvoiceRows } from '../invoice-rows.js';
import { CustomerBody, InvoiceBody, ItemBody, MAX_ITEMS } from '../invoice.dto.js';

/** Replaces what an invoice says; its number stays. Lines are matched by position. */
export class ReplaceInvoiceBody extends InvoiceBody {}

/** Changes the fields that are given; `items`, when given, replaces all lines. Null clears salesman, created_by, remarks. */
export class ChangeInvoiceBody extends PartialType(
  OmitType(InvoiceBody, ['invoice_date', 'customer', 'items']),
) {
  /** @example 2025-01-18 */
  @IfGiven()
  @IsRealDate()
  invoice_date?: string;

  @IfGiven()
  @IsObject()
  @ValidateNested()
  @Type(() => CustomerBody)
  customer?: CustomerBody;

  @IfGiven()
  @IsArray()
  @ArrayMinSize(1, { message: 'must have at least one line' })
  @ArrayMaxSize(MAX_ITEMS)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => ItemBody)
  items?: ItemBody[];
}

export class UpdateInvoiceCommand {
  constructor(
    readonly id: string,
    readonly change: ChangeInvoiceBody,
    /** The version that the writer has seen; null: whatever it is. */
    readonly version: string | null,
    /** True for a PUT: what is not given is cleared. */
    readonly replace = false,
  ) {}
}

@CommandHandler(UpdateInvoiceCommand)
export class UpdateInvoiceHandler implements ICommandHandler<UpdateInvoiceCommand, InvoiceDocument> {
  constructor(
    private readonly db: Database,
    private readonly rows: InvoiceRows,
    private readonly audit: Audit,
  ) {}

  async execute({ id, change, version, replace }: UpdateInvoiceCommand): Promise<InvoiceDocument> {
    if (Object.values(change).every((value) => value === undefined)) {
      throw invalid({ body: ['must change at least one field'] });
    }
    return this.db.tx(async () => {
      await this.rows.lock(id, version);
      const given = (field: keyof ChangeInvoiceBody) => replace || change[field] !== undefined;
      const customerId = change.customer ? await this.rows.customer(change.customer) : null;
      const salesmanId = change.salesman ? await this.rows.salesman(change.salesman) : null;
      if (change.items) await this.rows.replaceItems(id, change.items);
      await this.rows.update(id, {
        invoiceDate: change.invoice_date ?? null,
        customerId,
        salesman: given('salesman') ? { id: salesmanId } : null,
        createdBy: given('created_by') ? { label: change.created_by ?? null } : null,
        remarks: given('remarks') ? { text: change.remarks ?? null } : null,
      });
      await this.audit.record('sales.invoice_updated', `invoice:${id}`, {
        fields: Object.entries(change).flatMap(([field, value]) => (value === undefined ? [] : [field])),
      });
      return readInvoice(this.db, id);
    });
  }
}
