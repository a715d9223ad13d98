import { Injectable } from '@nestjs/common';
import { Database } from '#platform/persistence/database.js';
import { Outcomes } from '#platform/sync/outcomes.js';
import {
  type Page,
  type PageResult,
  RunsSession,
  SessionFailure,
  type SessionWork,
  type WorkContext,
} from '#platform/sync/session-work.js';
import { InvoiceWriter, type Written } from '../import-invoice/invoice-writer.js';
import type { Columns } from './columns.js';
import { parseCsvChunk } from './csv-chunk.js';
import { parseNdjsonChunk } from './ndjson-chunk.js';
import type { ParsedChunk } from './parsed-chunk.js';
import { StagedInvoices } from './staged-invoices.js';

const ENTITY = 'invoices';
/** Invoices written in one transaction. */
const WRITE_PAGE = 1000;
/** Reading the file in is the first part of the way, writing the invoices the second. */
const STAGING_SHARE = 0.3;

/** How far an import has come: chunks staged, invoices put in order, invoices written up to an ordinal. */
type Checkpoint =
  { phase: 'stage'; chunks: number; stray: number } | { phase: 'write'; total: number; written: number };

interface ImportFile extends Record<string, unknown> {
  id: string;
  format: 'csv' | 'ndjson';
  columns: { columns: Columns; width: number } | null;
  default_customer_code: string | null;
  bytes: string;
  chunks: number;
}

interface Chunk extends Record<string, unknown> {
  no: number;
  first_line: string;
  end_byte: string;
  data: Buffer;
}

/**
 * Imports a stored file in three steps, each resumable: stage its lines by invoice (an invoice's lines may be
 * scattered), put the invoices in the order of their first lines, write them page by page.
 */
@Injectable()
@RunsSession('import')
export class ImportFileWork implements SessionWork {
  constructor(
    private readonly db: Database,
    private readonly writer: InvoiceWriter,
    private readonly staged: StagedInvoices,
    private readonly outcomes: Outcomes,
  ) {}

  async *pages({ session, checkpoint, signal }: WorkContext): AsyncIterable<Page> {
    const id = session.session_id;
    const file = await this.db.first<ImportFile>('select * from sales.import_file where session_id = $1', [
      id,
    ]);
    if (!file) throw new SessionFailure('The uploaded file is no longer there. Send it again.');
    const at = (checkpoint ?? { phase: 'stage', chunks: 0, stray: 0 }) as Checkpoint;
    const progress = { total: at.phase === 'write' ? at.total : Number.POSITIVE_INFINITY };
    if (at.phase === 'stage') yield* this.stage(id, file, at, progress, signal);
    for (let after = at.phase === 'write' ? at.written : 0; after < progress.total; after += WRITE_PAGE) {
      yield { apply: () => this.write(id, after, progress.total) };
    }
  }

  async cleanUp(sessionId: string): Promise<void> {
    await this.staged.remove(sessionId);
    await this.db.execute('delete from sales.import_file where session_id = $1', [sessionId]);
  }

  private async *stage(
    id: string,
    file: ImportFile,
    at: { chunks: number; stray: number },
    progress: { total: number },
    signal: AbortSignal,
  ): AsyncIterable<Page> {
    let { chunks, stray } = at;
    for (;;) {
      signal.throwIfAborted();
      const chunk = await this.db.first<Chunk>(
        'select * from sales.import_chunk where file_id = $1 and no = $2',
        [file.id, chunks],
      );
      if (!chunk) {
        if (chunks < file.chunks)
          throw new SessionFailure('A part of the uploaded file is gone. Send it again.');
        break;
      }
      const parsed = parseChunk(file, chunk);
      chunks += 1;
      stray += parsed.strays;
      const next: Checkpoint = { phase: 'stage', chunks, stray };
      const share = STAGING_SHARE * (Number(chunk.end_byte) / Math.max(1, Number(file.bytes)));
      yield {
        apply: async () => {
          await this.staged.add(id, parsed.fragments);
          await this.outcomes.record(
            id,
            ENTITY,
            parsed.refused.map((row) => ({ outcome: 'failed', ...row })),
          );
          return {
            checkpoint: next,
            counters: { failed: parsed.strays, processed: parsed.strays },
            progress: share,
          };
        },
      };
    }
    const strays = stray;
    yield {
      apply: async () => {
        const repeated = file.format === 'ndjson' ? await this.staged.setAsideRepeated(id) : [];
        await this.outcomes.record(id, ENTITY, repeated);
        progress.total = await this.staged.putInOrder(id);
        const next: Checkpoint = { phase: 'write', total: progress.total, written: 0 };
        const aside = repeated.length;
        return {
          checkpoint: next,
          counters: { skipped: aside, processed: aside },
          progress: STAGING_SHARE,
          total: progress.total + strays + aside,
        };
      },
    };
  }

  private async write(id: string, after: number, total: number): Promise<PageResult> {
    const upTo = Math.min(after + WRITE_PAGE, total);
    const written = await this.writer.writeStaged(id, after, upTo);
    const refused = await this.staged.refused(id, after, upTo);
    const by = (result: Written['result']) => written.filter((row) => row.result === result);
    const outcome = (
      kind: 'created' | 'conflict' | 'skipped' | 'failed',
      rows: Written[],
      reason: string | null,
    ) => rows.map((row) => ({ outcome: kind, record: row.invoice_no, line: Number(row.first_line), reason }));
    await this.outcomes.record(id, ENTITY, [
      ...outcome('created', by('created'), null),
      ...outcome(
        'conflict',
        [...by('different'), ...by('unknown')],
        'an invoice with this number and other content is stored; it was left as it is',
      ),
      ...outcome(
        'skipped',
        by('deleted'),
        'an invoice with this number was deleted here; it is not imported again',
      ),
      ...outcome('failed', by('too_large'), 'the total of the invoice is too large'),
      ...refused.outcomes,
    ]);
    const next: Checkpoint = { phase: 'write', total, written: upTo };
    return {
      checkpoint: next,
      counters: {
        processed: Math.max(0, upTo - after),
        created: by('created').length,
        unchanged: by('same').length,
        conflicts: by('different').length + by('unknown').length,
        skipped: by('deleted').length,
        failed: by('too_large').length + refused.failed,
      },
      progress: total === 0 ? 1 : STAGING_SHARE + (1 - STAGING_SHARE) * (upTo / total),
    };
  }
}

function parseChunk(file: ImportFile, chunk: Chunk): ParsedChunk {
  const firstLine = Number(chunk.first_line);
  const text = chunk.data.toString('utf8');
  if (file.format === 'ndjson') return parseNdjsonChunk(text, firstLine, file.default_customer_code);
  if (!file.columns) throw new SessionFailure('The uploaded file has no header.');
  return parseCsvChunk(text, firstLine, {
    ...file.columns,
    defaultCustomerCode: file.default_customer_code,
    withHeader: chunk.no === 0,
  });
}
