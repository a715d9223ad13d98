import { connect, type Socket } from 'node:net';

/** So many readers of one stream; they stay until the process is told to close them. */
export interface OpenReaders {
  host: string;
  port: number;
  path: string;
  headers: Record<string, string>;
  readers: number;
}

export interface ReadersReport {
  /** Frames over all readers. */
  received: number;
  /** Readers that got each number once, in order, from the first they saw. */
  inOrder: number;
  closed: number;
  /** Delay from the event's own time to the reader, in whole ms: how many frames took so long. */
  delays: Map<number, number>;
}

interface Reader {
  socket: Socket;
  rest: string;
  last: number;
  ordered: boolean;
}

/** Connections that are being opened at the same time. */
const AT_ONCE = 100;
const EVENT = /id: \S+\.(\d+)\r?\ndata: (.*)\n/g;
const CREATED = /"created_at":"([^"]+)"/;

const readers: Reader[] = [];
let report: ReadersReport = fresh();
/** Every reader is sent the same event: its time is looked up once. */
const times = new Map<number, number>();

process.on('disconnect', () => process.exit(0));
process.on('message', (message: OpenReaders | 'reset' | 'report' | 'close') => {
  if (message === 'reset') report = fresh();
  else if (message === 'close') for (const { socket } of readers.splice(0)) socket.destroy();
  else if (message !== 'report') return void open(message);
  process.send?.({ ...report, inOrder: readers.filter((reader) => reader.ordered).length });
});

function fresh(): ReadersReport {
  return { received: 0, inOrder: 0, closed: 0, delays: new Map() };
}

async function open(job: OpenReaders): Promise<void> {
  for (let opened = 0; opened < job.readers; opened += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, job.readers - opened) }, () => openOne(job)));
  }
  process.send?.(report);
}

/** A bare socket: a fetch for each of thousands of readers would cost more than the server that is measured. */
function openOne({ host, port, path, headers }: OpenReaders): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host);
    const reader: Reader = { socket, rest: '', last: 0, ordered: true };
    const lines = Object.entries({ host: `${host}:${port}`, accept: 'text/event-stream', ...headers });
    socket.write(`GET ${path} HTTP/1.1\r\n${lines.map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n`);
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => read(reader, text));
    socket.once('data', (text: string) => {
      if (!text.startsWith('HTTP/1.1 200')) reject(new Error(text.slice(0, 300)));
      readers.push(reader);
      resolve();
    });
    socket.on('error', reject);
    socket.on('close', () => (report.closed += 1));
  });
}

function read(reader: Reader, text: string): void {
  const now = Date.now();
  const all = reader.rest + text;
  let end = 0;
  for (const match of all.matchAll(EVENT)) {
    end = match.index + match[0].length;
    const number = Number(match[1]);
    if (reader.last !== 0 && number !== reader.last + 1) reader.ordered = false;
    reader.last = number;
    const delay = Math.max(0, now - timeOf(number, match[2] ?? ''));
    report.received += 1;
    report.delays.set(delay, (report.delays.get(delay) ?? 0) + 1);
  }
  // Comments and chunk marks between events are dropped; an event that is not whole yet is kept.
  const begun = all.indexOf('id: ', end);
  reader.rest = begun === -1 ? all.slice(-3) : all.slice(begun);
}

function timeOf(number: number, body: string): number {
  const known = times.get(number);
  if (known !== undefined) return known;
  const time = Date.parse(CREATED.exec(body)?.[1] ?? '');
  times.set(number, time);
  return time;
}
