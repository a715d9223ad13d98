import fc from 'fast-check';
import { AppError } from '#platform/errors/app-error.js';
import { csvRecords } from './csv-chunk.js';
import { type RecordChunk, RecordSplitter, countLines } from './record-splitter.js';

/** The chunks of a file that arrives in parts of these sizes (by turns), or the code of its refusal. */
function split(content: string | Buffer, sizes: readonly number[], quoted = true): RecordChunk[] | string {
  const bytes = Buffer.from(content);
  const splitter = new RecordSplitter(quoted);
  const chunks: RecordChunk[] = [];
  try {
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
      const size = Math.max(1, sizes[turn % sizes.length] ?? bytes.length);
      chunks.push(...splitter.push(bytes.subarray(at, at + size)));
      at += size;
    }
    chunks.push(...splitter.end());
    return chunks;
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
}

/** Records with their lines, as the worker reads them chunk by chunk. */
const recordsOf = (chunks: RecordChunk[]) =>
  chunks.flatMap(({ data, firstLine }) => csvRecords(data.toString('utf8'), firstLine));

const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1000, max: 300_000 })), {
  minLength: 1,
  maxLength: 6,
});
const largeSizes = fc.array(fc.integer({ min: 5000, max: 300_000 }), { minLength: 1, maxLength: 6 });
const quote = (field: string) => `"${field.replaceAll('"', '""')}"`;
const field = fc.oneof(
  fc
    .string({ unit: fc.constantFrom('a', 'ø', '東', '🫖', ' ', '5" x 3"'), maxLength: 12 })
    .map((text) => `x${text}`),
  fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r\n', 'ø'), maxLength: 12 }).map(quote),
);
/** A good file of some hundred kilobytes: several chunks. */
const file = fc
  .tuple(
    fc.array(fc.array(field, { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 8 }),
    fc.constantFrom('\n', '\r\n'),
  )
  .map(([rows, end]) => {
    const block = rows.map((fields) => fields.join(',')).join(end) + end;
    return block.repeat(Math.ceil(600_000 / Buffer.byteLength(block)));
  });

it('cuts any file in any parts into whole records, none lost, each with its line', () => {
  fc.assert(
    fc.property(file, largeSizes, (content, parts) => {
      const chunks = split(content, parts);
      if (typeof chunks === 'string') return false;
      expect(chunks.length).toBeGreaterThan(1);
      expect(Buffer.concat(chunks.map(({ data }) => data)).equals(Buffer.from(content))).toBe(true);
      expect(chunks.at(-1)?.endByte).toBe(Buffer.byteLength(content));
      expect(recordsOf(chunks)).toEqual(csvRecords(content, 1));
      return true;
    }),
    { numRuns: 5 },
  );
});

it('says the same of small files however they come in', () => {
  const small = fc.string({ unit: fc.constantFrom('a', 'ø', '"', ',', '\n', '\r\n'), maxLength: 40 });
  fc.assert(
    fc.property(small, sizes, (content, parts) => {
      const [whole, cut] = [split(content, [content.length * 4]), split(content, parts)];
      if (typeof whole === 'string' || typeof cut === 'string') return whole === cut;
      expect(recordsOf(cut)).toEqual(recordsOf(whole));
      return true;
    }),
    { numRuns: 3000 },
  );
});

it('agrees with the parser on where quotes are still open', () => {
  const row = fc.array(field, { minLength: 1, maxLength: 4 }).map((fields) => fields.join(','));
  const torn = fc.tuple(fc.array(row, { maxLength: 4 }), fc.nat()).map(([rows, at]) => {
    const text = rows.join('\n');
    return text.slice(0, text.length === 0 ? 0 : at % text.length);
  });
  fc.assert(
    fc.property(torn, (content) => {
      const chunks = split(content, [7]);
      if (typeof chunks === 'string') return true;
      return recordsOf(chunks).every(({ problem }) => problem === undefined);
    }),
    { numRuns: 3000 },
  );
});

it('counts lines as an editor does', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', '\n', '\r') }),
      (text) => countLines(Buffer.from(text)) === text.split('\n').length - 1,
    ),
  );
});

it('NDJSON is cut at every line end, quotes or not', () => {
  const line = '{"a":"say \\"hi"}\n';
  const content = line.repeat(60_000);
  const chunks = split(content, [100_003], false) as RecordChunk[];
  expect(chunks.length).toBeGreaterThan(2);
  for (const { data } of chunks) expect(data.toString().endsWith('}\n')).toBe(true);
  expect(chunks[1]?.firstLine).toBe(1 + countLines(chunks[0]?.data ?? Buffer.alloc(0)));
});

it('takes a byte order mark away, also one that comes in pieces, and nothing else', () => {
  const content = '\uFEFFa,b\n1,\uFEFF2\n';
  for (const parts of [[100], [1], [2], [3]]) {
    const chunks = split(content, parts) as RecordChunk[];
    expect(recordsOf(chunks).map(({ fields }) => fields)).toEqual([
      ['a', 'b'],
      ['1', '\uFEFF2'],
    ]);
  }
});

it.each<[string, Buffer, string]>([
  ['latin1', Buffer.from('a,S\u00f8n\n', 'latin1'), 'sales.file_encoding'],
  ['half a character at the end', Buffer.from('a,ø').subarray(0, 3), 'sales.file_encoding'],
  ['UTF-16', Buffer.from('a,b\n', 'utf16le'), 'sales.file_encoding'],
  ['a NUL character', Buffer.from('a,\0\n'), 'sales.file_encoding'],
  ['carriage returns only', Buffer.from('a,b\r1,2\r'), 'sales.file_encoding'],
  ['an open quote', Buffer.from('a,"b\n1,2\n'), 'sales.file_torn'],
  ['a record without end', Buffer.from(`a,"${'x\n'.repeat(3_000_000)}`), 'sales.file_endless_record'],
])('refuses %s, however it comes in', (_what, content, code) => {
  for (const parts of [[1_000_000], [65_536, 3], [70_001]]) expect(split(content, parts)).toBe(code);
});

it('keeps no more in memory than a record and a chunk', () => {
  const splitter = new RecordSplitter(true);
  const part = Buffer.from('a,b,c\n'.repeat(10_000));
  const held = [];
  for (let i = 0; i < 50; i++) held.push(...Array.from(splitter.push(part), ({ data }) => data.length));
  expect(Math.max(...held)).toBeLessThan(512 * 1024);
});
