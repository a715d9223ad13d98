import { Injectable } from '@nestjs/common';
import { Database } from '#platform/persistence/database.js';
import { Outcomes } from '#platform/sync/outcomes.js';
import type { RecordOutcome } from '#platform/sync/session.js';
import {
  type Page,
  type PageResult,
  RunsSession,
  SessionFailure,
  type SessionWork,
  type WorkContext,
} from '#platform/sync/session-work.js';
import { type Fragment, wholeOf } from '../import-invoice/fragment.js';
import { InvoiceWriter, type SaidBefore, type Written } from '../import-invoice/invoice-writer.js';
import type { Columns } from './columns.js';
import { csvInvoiceNumbers, parseCsvChunk } from './csv-chunk.js';
import { ndjsonInvoiceNumbers, parseNdjsonChunk } from './ndjson-chunk.js';
import type { ParsedChunk } from './parsed-chunk.js';
import { Scattered } from './scattered.js';
import { StagedInvoices } from './staged-invoices.js';

const ENTITY = 'invoices';
/** Staged invoices written in one transaction. */
const WRITE_PAGE = 1000;
/** Reading the file and writing what stands together is most of the way, the scattered rest its end. */
const READING_SHARE = 0.9;

/** How far an import has come: chunks read, then staged invoices written up to an ordinal. */
type Checkpoint =
  { phase: 'read'; chunks: number; done: number } | { phase: 'write'; total: number; written: number };

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
 * Imports a stored file chunk by chunk. Invoices whose lines stand in one chunk are written with it; the lines of the
 * others are staged, and these invoices are written when all their lines are there.
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
    const at = (checkpoint ?? { phase: 'read', chunks: 0, done: 0 }) as Checkpoint;
    const progress = { total: at.phase === 'write' ? at.total : Number.POSITIVE_INFINITY };
    const said: SaidBefore = new Set();
    if (at.phase === 'read') yield* this.read(id, file, at, progress, said, signal);
    for (let after = at.phase === 'write' ? at.written : 0; after < progress.total; after += WRITE_PAGE) {
      yield { apply: () => this.writeStaged(id, after, progress.total, said) };
    }
  }

  async cleanUp(sessionId: string): Promise<void> {
    await this.staged.remove(sessionId);
    await this.db.execute('delete from sales.import_file where session_id = $1', [sessionId]);
  }

  private async *read(
    id: string,
    file: ImportFile,
    at: { chunks: number; done: number },
    progress: { total: number },
    said: SaidBefore,
    signal: AbortSignal,
  ): AsyncIterable<Page> {
    const scattered = await this.survey(file, signal);
    let { chunks, done } = at;
    while (chunks < file.chunks) {
      signal.throwIfAborted();
      const chunk = await this.chunk(file, chunks);
      const { fragments, refused, strays } = parseChunk(file, chunk);
      chunks += 1;
      const here = fragments.filter((fragment) => !scattered.has(fragment.invoice_no));
      const later = fragments.filter((fragment) => scattered.has(fragment.invoice_no));
      const bad = here.filter((fragment) => fragment.bad_line !== null);
      const good = here
        .filter((fragment) => fragment.bad_line === null)
        .map((fragment) => wholeOf([fragment]));
      done += strays + here.length;
      const next: Checkpoint = { phase: 'read', chunks, done };
      const share = READING_SHARE * (Number(chunk.end_byte) / Math.max(1, Number(file.bytes)));
      yield {
        apply: async () => {
          await this.staged.add(id, later);
          await this.outcomes.record(id, ENTITY, [
            ...refused.map((row) => ({ outcome: 'failed' as const, ...row })),
            ...bad.flatMap(refusedWhole),
          ]);
          const counters = await this.record(id, await this.writer.writePage(good, said));
          const failed = strays + bad.length;
          return {
            checkpoint: next,
            counters: {
              ...counters,
              processed: counters.processed + failed,
              failed: counters.failed + failed,
            },
            progress: share,
          };
        },
      };
    }
    const before = done;
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
          progress: READING_SHARE,
          total: before + progress.total + aside,
        };
      },
    };
  }

  /** Looks through the file for invoices that stand in several chunks (NDJSON: on several lines). */
  private async survey(file: ImportFile, signal: AbortSignal): Promise<Scattered> {
    const scattered = new Scattered();
    let line = 0;
    for (let no = 0; no < file.chunks; no++) {
      signal.throwIfAborted();
      const chunk = await this.chunk(file, no);
      const text = chunk.data.toString('utf8');
      const numbers = file.columns
        ? csvInvoiceNumbers(text, file.columns.columns)
        : ndjsonInvoiceNumbers(text);
      for (const number of numbers) scattered.see(number, file.format === 'csv' ? no : line++);
    }
    return scattered.close();
  }

  private async chunk(file: ImportFile, no: number): Promise<Chunk> {
    const chunk = await this.db.first<Chunk>(
      'select * from sales.import_chunk where file_id = $1 and no = $2',
      [file.id, no],
    );
    if (!chunk) throw new SessionFailure('A part of the uploaded file is gone. Send it again.');
    return chunk;
  }

  private async writeStaged(id: string, after: number, total: number, said: SaidBefore): Promise<PageResult> {
    const upTo = Math.min(after + WRITE_PAGE, total);
    const counters = await this.record(
      id,
      await this.writer.writePage(await this.staged.whole(id, after, upTo), said),
    );
    const refused = await this.staged.refused(id, after, upTo);
    await this.outcomes.record(id, ENTITY, refused.outcomes);
    const next: Checkpoint = { phase: 'write', total, written: upTo };
    return {
      checkpoint: next,
      counters: {
        ...counters,
        processed: counters.processed + refused.failed,
        failed: counters.failed + refused.failed,
      },
      progress: total === 0 ? 1 : READING_SHARE + (1 - READING_SHARE) * (upTo / total),
    };
  }

  private async record(id: string, written: Written[]): Promise<Record<keyof typeof NONE, number>> {
    const counters = { ...NONE, processed: written.length };
    const outcomes = written.flatMap(({ invoice_no: record, first_line: line, result }) => {
      const { counter, outcome, reason } = OUTCOMES[result];
      counters[counter] += 1;
      return outcome ? [{ outcome, record, line, reason }] : [];
    });
    await this.outcomes.record(id, ENTITY, outcomes);
    return counters;
  }
}

const NONE = { processed: 0, created: 0, unchanged: 0, conflicts: 0, skipped: 0, failed: 0 };

const OUTCOMES: Record<
  Written['result'],
  { counter: keyof typeof NONE; outcome: RecordOutcome | null; reason: string | null }
> = {
  created: { counter: 'created', outcome: 'created', reason: null },
  same: { counter: 'unchanged', outcome: null, reason: null },
  different: {
    counter: 'conflicts',
    outcome: 'conflict',
    reason: 'an invoice with this number and other content is stored; it was left as it is',
  },
  unknown: {
    counter: 'conflicts',
    outcome: 'conflict',
    reason: 'an invoice with this number and other content is stored; it was left as it is',
  },
  deleted: {
    counter: 'skipped',
    outcome: 'skipped',
    reason: 'an invoice with this number was deleted here; it is not imported again',
  },
  too_large: { counter: 'failed', outcome: 'failed', reason: 'the total of the invoice is too large' },
};

/** The lines of an invoice that are refused because another of its lines is. */
const refusedWhole = ({ invoice_no: record, lines, bad_line }: Fragment) =>
  lines.map((line) => ({
    outcome: 'failed' as const,
    record,
    line,
    reason: `line ${bad_line} of the same invoice was refused`,
  }));

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
