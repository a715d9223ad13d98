import { AppError } from '#platform/errors/app-error.js';

/** Whole records of a file. */
export interface RecordChunk {
  /** Line of the file that it begins on, from 1. */
  firstLine: number;
  /** Bytes of the file up to and with this chunk. */
  endByte: number;
  data: Buffer;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const COMMA = 0x2c;
const QUOTE = 0x22;
/** Any other byte. */
const TEXT = 0x78;
const BYTE_ORDER_MARK = Buffer.from('\uFEFF');
const CHUNK_BYTES = 256 * 1024;
/** The longest record that is taken; a longer one is a file without line ends, or with a quote that never closes. */
const MAX_RECORD_BYTES = 4 * 1024 * 1024;

/**
 * Cuts a file into chunks of whole records while it arrives, and refuses what cannot be right: bytes that are not
 * UTF-8, NUL characters, endless records. A line end inside quotes does not end a CSV record.
 */
export class RecordSplitter {
  private readonly utf8 = new TextDecoder('utf-8', { fatal: true });
  private parts: Buffer[] = [];
  private size = 0;
  private line = 1;
  private bytes = 0;
  private inQuotes = false;
  private previous = NEWLINE;
  private sawNewline = false;
  private sawReturn = false;
  private started = false;
  private head: Buffer = Buffer.alloc(0);
  /** End of the last whole record in `parts`; its line ends are counted when it is cut. */
  private complete = 0;

  constructor(private readonly quoted: boolean) {}

  /** @throws AppError 400 */
  *push(part: Buffer): Generator<RecordChunk> {
    const data = this.withoutMark(part);
    if (data.length === 0) return;
    this.check(data);
    this.sawNewline ||= data.includes(NEWLINE);
    this.sawReturn ||= data.includes(RETURN);
    const end = this.lastRecordEnd(data);
    if (end > 0) this.complete = this.size + end;
    this.parts.push(data);
    this.size += data.length;
    if (this.complete >= CHUNK_BYTES) yield this.cut(this.complete);
    if (this.size - this.complete > MAX_RECORD_BYTES) {
      throw refuse(
        'sales.file_endless_record',
        `Line ${this.line} or one after it is longer than 4 MB, or a quote is never closed`,
      );
    }
  }

  /**
   * What is left at the end of the file.
   * @throws AppError 400 when the file ends inside a quoted field
   */
  *end(): Generator<RecordChunk> {
    if (!this.started && this.head.length > 0) yield* this.push(Buffer.from('\n\n'));
    this.check(Buffer.alloc(0), true);
    if (this.inQuotes) {
      throw refuse(
        'sales.file_torn',
        'The file ends inside a quoted field: it was cut off. Send it again whole.',
      );
    }
    if (this.sawReturn && !this.sawNewline) {
      throw refuse(
        'sales.file_encoding',
        'The lines end in carriage returns only. Save the file with LF or CRLF line ends.',
      );
    }
    if (this.size > 0) yield this.cut(this.size);
  }

  /** Takes a byte order mark off the file's first bytes, in how many parts ever they come. */
  private withoutMark(part: Buffer): Buffer {
    if (this.started) return part;
    this.head = Buffer.concat([this.head, part]);
    if (this.head.length < BYTE_ORDER_MARK.length) return Buffer.alloc(0);
    this.started = true;
    const marked = this.head.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK);
    return marked ? this.head.subarray(BYTE_ORDER_MARK.length) : this.head;
  }

  private check(data: Buffer, last = false): void {
    try {
      this.utf8.decode(data, { stream: !last });
    } catch {
      throw refuse(
        'sales.file_encoding',
        `The file is not UTF-8 (after line ${this.line}). Save it as UTF-8 and send it again.`,
      );
    }
    if (data.includes(0)) {
      throw refuse(
        'sales.file_encoding',
        `The file contains a NUL character (after line ${this.line}); is it UTF-16? Save it as UTF-8.`,
      );
    }
  }

  /** Offset behind the last line end of `data` that ends a record; 0 for none. */
  private lastRecordEnd(data: Buffer): number {
    if (!this.quoted) return data.lastIndexOf(NEWLINE) + 1;
    let end = 0;
    for (let from = 0; from < data.length;) {
      const quote = data.indexOf(QUOTE, from);
      const until = quote === -1 ? data.length : quote;
      if (!this.inQuotes && until > from) {
        const newline = data.subarray(from, until).lastIndexOf(NEWLINE);
        if (newline !== -1) end = from + newline + 1;
      }
      if (until > from) this.previous = data[until - 1] ?? NEWLINE;
      if (quote === -1) break;
      const closes = this.inQuotes;
      this.inQuotes = !closes && this.opensField();
      // A quote that closed may turn out to be the first of a doubled one.
      this.previous = closes ? QUOTE : TEXT;
      from = quote + 1;
    }
    return end;
  }

  /** A quote opens a field only where one begins; elsewhere (`5" pipe`) it is text. */
  private opensField(): boolean {
    const { previous } = this;
    return previous === COMMA || previous === NEWLINE || previous === RETURN || previous === QUOTE;
  }

  private cut(at: number): RecordChunk {
    const all = this.parts.length === 1 && this.parts[0] ? this.parts[0] : Buffer.concat(this.parts);
    const data = all.subarray(0, at);
    const rest = all.subarray(at);
    this.bytes += at;
    const chunk = { firstLine: this.line, endByte: this.bytes, data };
    this.line += countLines(data);
    this.parts = rest.length > 0 ? [rest] : [];
    this.size = rest.length;
    this.complete = 0;
    return chunk;
  }
}

export function countLines(data: Buffer): number {
  let lines = 0;
  for (let at = data.indexOf(NEWLINE); at !== -1; at = data.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}

const refuse = (code: string, message: string) =>
  new AppError(400, code, message, { errors: { file: [message] } });
