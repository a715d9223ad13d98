import { type DynamicModule, Module } from '@nestjs/common';
import { AddItemsHandler } from './add-items/add-items.command.js';
import { DeleteInvoiceHandler } from './delete-invoice/delete-invoice.command.js';
import { FoldCount } from './fold-count.js';
import { GetInvoiceHandler } from './get-invoice/get-invoice.query.js';
import { ImportController } from './import.controller.js';
import { ImportFileHandler } from './import-file/import-file.command.js';
import { ImportFileWork } from './import-file/import-file.work.js';
import { StagedInvoices } from './import-file/staged-invoices.js';
import { ImportInvoiceHandler } from './import-invoice/import-invoice.command.js';
import { InvoiceWriter } from './import-invoice/invoice-writer.js';
import { InvoiceRows } from './invoice-rows.js';
import { InvoicesController } from './invoices.controller.js';
import { ListInvoicesHandler } from './list-invoices/list-invoices.query.js';
import { InvoiceStreamController } from './stream.controller.js';
import { UpdateInvoiceHandler } from './update-invoice/update-invoice.command.js';

/** Invoices that the sales system issues: imported, kept, shown live. */
@Module({})
export class SalesModule {
  static with(role: 'api' | 'worker'): DynamicModule {
    if (role === 'worker') {
      return { module: SalesModule, providers: [InvoiceWriter, StagedInvoices, ImportFileWork, FoldCount] };
    }
    return {
      module: SalesModule,
      controllers: [InvoicesController, ImportController, InvoiceStreamController],
      providers: [
        InvoiceWriter,
        InvoiceRows,
        ListInvoicesHandler,
        GetInvoiceHandler,
        ImportInvoiceHandler,
        ImportFileHandler,
        UpdateInvoiceHandler,
        AddItemsHandler,
        DeleteInvoiceHandler,
      ],
    };
  }
}
