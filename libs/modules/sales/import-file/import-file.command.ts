import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { FastifyRequest } from 'fastify';
import { Audit } from '#platform/audit/audit.js';
import { AppError, invalid } from '#platform/errors/app-error.js';
import { Idempotency } from '#platform/http/idempotency.js';
import { Database } from '#platform/persistence/database.js';
import { SessionStore } from '#platform/sync/session-store.js';
import { type Columns, findColumns, parseMap } from './columns.js';
import { csvRecords } from './csv-chunk.js';
import { type RecordChunk, RecordSplitter } from './record-splitter.js';

export const MAX_FILE_BYTES = 64 * 1024 * 1024;

export class ImportFileAnswer {
  /** @example 6f2c7f0e-3a52-4a53-9f0e-1d1c2f0b7a11 */
  session_id: string;
  /** @example initiated */
  status: string;
  /** Progress as Server-Sent Events. */
  stream_url: string;
  /** What was refused and why; `?outcome=rejected&format=csv` for a spreadsheet. */
  outcomes_url: string;
}

/** Takes a file of invoices in; a worker imports it. */
export class ImportFileCommand {
  constructor(
    readonly format: 'csv' | 'ndjson',
    readonly map: string | undefined,
    readonly defaultCustomerCode: string | null,
    readonly content: Readable,
    readonly request: FastifyRequest,
  ) {}
}

interface Received {
  fileId: string;
  bytes: number;
  hash: string;
}

@CommandHandler(ImportFileCommand)
export class ImportFileHandler implements ICommandHandler<
  ImportFileCommand,
  { status: number; body: unknown }
> {
  constructor(
    private readonly db: Database,
    private readonly sessions: SessionStore,
    private readonly idempotency: Idempotency,
    private readonly audit: Audit,
  ) {}

  async execute(command: ImportFileCommand): Promise<{ status: number; body: unknown }> {
    const { id: fileId } = (await this.db.first<{ id: string }>(
      'insert into sales.import_file (format, default_customer_code) values ($1, $2) returning id',
      [command.format, command.defaultCustomerCode],
    )) ?? { id: '' };
    try {
      const received = await this.receive(fileId, command);
      const answer = await this.idempotency.once(command.request, received.hash, () =>
        this.start(command, received),
      );
      if ((answer.body as ImportFileAnswer).session_id !== (await this.sessionOf(fileId)))
        await this.drop(fileId);
      return answer;
    } catch (error) {
      await this.drop(fileId).catch(() => undefined);
      throw command.content.readableEnded ? error : closing(error, command.content);
    }
  }

  /** Stores the file chunk by chunk, each committed by itself, so that a slow upload holds no transaction open. */
  private async receive(
    fileId: string,
    { format, map, defaultCustomerCode, content }: ImportFileCommand,
  ): Promise<Received> {
    const fields = parseMap(map);
    const splitter = new RecordSplitter(format === 'csv');
    const hash = createHash('sha256').update(JSON.stringify([format, map ?? null, defaultCustomerCode]));
    let bytes = 0;
    let chunks = 0;
    let columns: { columns: Columns; width: number } | null = null;
    let last: RecordChunk | undefined;
    const store = async (chunk: RecordChunk) => {
      if (chunks === 0 && format === 'csv') {
        const header = csvRecords(chunk.data.toString('utf8'), 1)[0]?.fields ?? [];
        columns = {
          columns: findColumns(header, fields, defaultCustomerCode !== null),
          width: header.length,
        };
      }
      await this.db.execute(
        'insert into sales.import_chunk (file_id, no, first_line, end_byte, data) values ($1, $2, $3, $4, $5)',
        [fileId, chunks++, chunk.firstLine, chunk.endByte, chunk.data],
      );
      last = chunk;
    };
    for await (const part of content.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > MAX_FILE_BYTES) throw tooLarge();
      hash.update(part);
      for (const chunk of splitter.push(part)) await store(chunk);
    }
    for (const chunk of splitter.end()) await store(chunk);
    if (!last) throw invalid({ file: ['is empty'] }, 'sales.file_empty');
    refuseTorn(last, format, columns);
    await this.db.execute(
      'update sales.import_file set columns = $2, bytes = $3, chunks = $4 where id = $1',
      [fileId, columns, bytes, chunks],
    );
    return { fileId, bytes, hash: hash.digest('hex') };
  }

  private async start(
    command: ImportFileCommand,
    { fileId, bytes }: Received,
  ): Promise<{ status: number; body: ImportFileAnswer }> {
    const session = await this.sessions.create({ kind: 'import', trigger: 'api', entities: ['invoices'] });
    await this.db.execute('update sales.import_file set session_id = $2 where id = $1', [
      fileId,
      session.session_id,
    ]);
    await this.audit.record('sales.file_import_started', `session:${session.session_id}`, {
      format: command.format,
      bytes,
    });
    const url = `/api/sessions/${session.session_id}`;
    return {
      status: 202,
      body: {
        session_id: session.session_id,
        status: session.state,
        stream_url: `${url}/stream`,
        outcomes_url: `${url}/outcomes`,
      },
    };
  }

  private async sessionOf(fileId: string): Promise<string | undefined> {
    const row = await this.db.first<{ session_id: string }>(
      'select session_id from sales.import_file where id = $1',
      [fileId],
    );
    return row?.session_id;
  }

  private async drop(fileId: string): Promise<void> {
    // Never one that a session has: it may be committed although we did not hear of it.
    await this.db.execute('delete from sales.import_file where id = $1 and session_id is null', [fileId]);
  }
}

export const tooLarge = () =>
  new AppError(
    413,
    'request.too_large',
    'The file is larger than 64 MB. Split it by invoices and send the parts one after another.',
  );

/**
 * A refusal while the upload is still coming: the answer says that the connection closes, since what is left of the
 * body would stand in front of the next request.
 */
function closing(error: unknown, content: Readable): unknown {
  // Not before the iterator has let go of it; read on, so that the answer is not lost in a reset.
  setImmediate(() => content.resume());
  if (!(error instanceof AppError)) return error;
  const headers = { ...error.options.headers, connection: 'close' };
  return new AppError(error.status, error.code, error.message, { ...error.options, headers });
}

/** A file that was cut off inside its last record must not be taken for a whole one. */
function refuseTorn(last: RecordChunk, format: 'csv' | 'ndjson', columns: { width: number } | null): void {
  const text = last.data.toString('utf8').trimEnd();
  const tail = text.slice(text.lastIndexOf('\n') + 1);
  if (format === 'csv') {
    const records = csvRecords(text, last.firstLine);
    const fields = records.at(-1)?.fields.length ?? 0;
    if (columns && records.length > 0 && fields < columns.width) {
      throw torn(records.at(-1)?.line ?? last.firstLine, `it has ${fields} of ${columns.width} fields`);
    }
    if (columns && last.firstLine === 1 && records.length < 2)
      throw invalid({ file: ['has a header but no rows'] }, 'sales.file_empty');
    return;
  }
  if (tail === '') throw invalid({ file: ['is empty'] }, 'sales.file_empty');
  try {
    JSON.parse(tail);
  } catch {
    throw torn(last.firstLine + text.split('\n').length - 1, 'it is not whole JSON');
  }
}

function torn(line: number, why: string): AppError {
  const message = `The last line (${line}) is cut off: ${why}. Send the file again whole.`;
  return new AppError(400, 'sales.file_torn', message, { errors: { file: [message] } });
}
