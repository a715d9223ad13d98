import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { AppError, type FieldErrors } from '#platform/errors/app-error.js';
import { parseJsonBody } from '#platform/http/json-body.js';
import { fieldErrors } from '#platform/http/validation.pipe.js';
import { contentProblems, fragmentOf } from '../import-invoice/fragment.js';
import { ImportInvoiceCommand } from '../import-invoice/import-invoice.command.js';
import type { ParsedChunk } from './parsed-chunk.js';

/** The invoice numbers in a chunk, as often as they stand there; lines that are not invoices have none. */
export function ndjsonInvoiceNumbers(text: string): string[] {
  return text.split('\n').flatMap((row) => {
    try {
      const { invoice_no: no } = JSON.parse(row) as { invoice_no?: unknown };
      return typeof no === 'string' ? [no.trim()] : [];
    } catch {
      return [];
    }
  });
}

/** One invoice a line, each checked as the body of a single import is. */
export function parseNdjsonChunk(
  text: string,
  firstLine: number,
  defaultCustomerCode: string | null,
): ParsedChunk {
  const chunk: ParsedChunk = { fragments: [], refused: [], strays: 0 };
  text.split('\n').forEach((row, index) => {
    if (row.trim() === '') return;
    const line = firstLine + index;
    const read = readInvoice(row, defaultCustomerCode);
    if (read instanceof ImportInvoiceCommand) {
      chunk.fragments.push(fragmentOf(read.invoice_no, read, line));
      return;
    }
    chunk.refused.push({ record: read.invoiceNo, line, reason: sentence(read.errors) });
    chunk.strays += 1;
  });
  return chunk;
}

function readInvoice(
  row: string,
  defaultCustomerCode: string | null,
): ImportInvoiceCommand | { invoiceNo: string | null; errors: FieldErrors } {
  let value: unknown;
  try {
    value = parseJsonBody(row);
  } catch (error) {
    return {
      invoiceNo: null,
      errors: (error instanceof AppError ? error.options.errors : undefined) ?? {
        line: ['is not valid JSON'],
      },
    };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { invoiceNo: null, errors: { line: ['is not a JSON object'] } };
  }
  const given = value as { invoice_no?: unknown; customer?: unknown };
  if (defaultCustomerCode) given.customer = withCode(given.customer, defaultCustomerCode);
  const command = plainToInstance(ImportInvoiceCommand, given);
  const errors = problemsOf(command);
  if (!errors) return command;
  const { invoice_no: no } = given;
  return {
    invoiceNo: typeof no === 'string' && no.trim() !== '' && no.length <= 64 ? no.trim() : null,
    errors,
  };
}

/** Whatever one line makes fail refuses that line, not the file. */
function problemsOf(command: ImportInvoiceCommand): FieldErrors | null {
  try {
    const problems = validateSync(command, {
      whitelist: true,
      forbidNonWhitelisted: true,
      stopAtFirstError: true,
    });
    return problems.length > 0 ? fieldErrors(problems) : contentProblems(command);
  } catch {
    return { line: ['is not an invoice'] };
  }
}

function withCode(customer: unknown, code: string): unknown {
  if (customer === undefined || customer === null) return { code };
  if (typeof customer !== 'object' || Array.isArray(customer)) return customer;
  const { code: given } = customer as { code?: unknown };
  return given === undefined || given === null || given === '' ? { ...customer, code } : customer;
}

const sentence = (errors: FieldErrors) =>
  Object.entries(errors)
    .map(([path, messages]) => `${path} ${messages.join(', ')}`)
    .join('; ')
    .slice(0, 1000);
