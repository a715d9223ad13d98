import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { MaxLength } from 'class-validator';
import { Audit } from '#platform/audit/audit.js';
import { conflict, invalid } from '#platform/errors/app-error.js';
import { IsNotBlank } from '#platform/http/not-blank.js';
import { Database } from '#platform/persistence/database.js';
import { type InvoiceView, InvoiceBody } from '../invoice.dto.js';
import { differences } from './differences.js';
import { contentProblems, fragmentOf, wholeOf } from './fragment.js';
import { InvoiceWriter, type Written } from './invoice-writer.js';

/** Imports one invoice with its customer, salesman and lines. */
export class ImportInvoiceCommand extends InvoiceBody {
  /**
   * The number that identifies the invoice: the same number and content again is answered, not stored again.
   * @example INV-10222
   */
  @IsNotBlank() @MaxLength(64) invoice_no: string;
}

export class ImportedInvoice {
  /** @example 1 */
  id: number;
  /** @example INV-10222 */
  invoice_no: string;
  /** @example 920 */
  total_amount: number;
}

export class ImportAnswer {
  /** @example true */
  success: boolean;
  /** @example 201 */
  status_code: number;
  /** @example Invoice imported successfully */
  message: string;
  data: ImportedInvoice;
}

@CommandHandler(ImportInvoiceCommand)
export class ImportInvoiceHandler implements ICommandHandler<ImportInvoiceCommand, ImportAnswer> {
  constructor(
    private readonly db: Database,
    private readonly writer: InvoiceWriter,
    private readonly audit: Audit,
  ) {}

  async execute(command: ImportInvoiceCommand): Promise<ImportAnswer> {
    const problems = contentProblems(command);
    if (problems) throw invalid(problems);
    return this.db.tx(async () => {
      const written = await this.writer.write(wholeOf([fragmentOf(command.invoice_no, command, 1)]));
      if (written.result === 'different' || written.result === 'unknown')
        await this.refuseOther(command, written);
      if (written.result === 'too_large') throw invalid({ items: ['add up to a total that is too large'] });
      if (written.result === 'deleted') {
        throw conflict(
          'sales.invoice_deleted',
          `Invoice ${written.invoice_no} was deleted here; it is not imported again`,
        );
      }
      if (written.result === 'created') {
        await this.audit.record('sales.invoice_imported', `invoice:${written.id}`, {
          invoice_no: written.invoice_no,
        });
      }
      return answer(written);
    });
  }

  /** Of rows that another program wrote only what they say can be compared; when that is the same, all is well. */
  private async refuseOther(
    command: ImportInvoiceCommand,
    { id, invoice_no, result }: Written,
  ): Promise<void> {
    const row = await this.db.first<{ body: InvoiceView }>(
      'select body from sales.invoice_document where id = $1',
      [id],
    );
    const found = row ? differences(command, row.body) : {};
    if (Object.keys(found).length === 0) {
      if (result === 'unknown') return;
      found.invoice_no = ['was imported with other content, and edited since to what this request says'];
    }
    throw conflict(
      'sales.invoice_differs',
      `Invoice ${invoice_no} was imported with other content. Change it with PATCH /api/sales/invoices/${id}/, or use another number.`,
      found,
    );
  }
}

function answer({ id, invoice_no, total_amount, result }: Written): ImportAnswer {
  const created = result === 'created';
  return {
    success: true,
    status_code: created ? 201 : 200,
    message: created ? 'Invoice imported successfully' : 'Invoice was imported before',
    data: { id: Number(id), invoice_no, total_amount: Number(total_amount) },
  };
}
