import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { terminalLine } from './log-lines.js';
import { isAlive } from './process-identity.js';
import { RotatingLog } from './rotating-log.js';
import { Supervisor } from './supervisor.js';

let folder: string;
let said: string[];
let supervisor: Supervisor;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'instep-supervisor-'));
  said = [];
  supervisor = new Supervisor({ logDir: join(folder, 'logs'), say: (line) => said.push(line) });
});

afterEach(() => {
  supervisor.kill();
  rmSync(folder, { recursive: true, force: true });
});

function script(name: string, code: string): string {
  const file = join(folder, `${name}.mjs`);
  writeFileSync(file, code);
  return file;
}

function logOf(name: string): string {
  try {
    return readFileSync(join(folder, 'logs', `${name}.log`), 'utf8');
  } catch {
    return '';
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 15_000; !condition(); await sleep(10)) {
    if (Date.now() > end) throw new Error(`Waited in vain. Said so far: ${said.join(' | ')}`);
  }
}

const STAYS = `
  const order = process.argv[1].split('/').at(-1);
  console.log(JSON.stringify({ level: 30, msg: 'up', pid: process.pid }));
  process.on('SIGTERM', () => setTimeout(() => { console.log('drained ' + order + ' ' + Date.now()); process.exit(0); }, 50));
  process.on('disconnect', () => process.exit(0));
  setInterval(() => {}, 1000);
`;

describe('the supervisor', () => {
  it('logs everything, shows what matters, and stops its children in order', async () => {
    for (const name of ['one', 'two']) supervisor.start({ name, env: {}, script: script(name, STAYS) });
    await until(() => /up/.test(logOf('one')) && /up/.test(logOf('two')));
    expect(said).toEqual([]);
    await supervisor.stop();
    const [, first] = /drained one.mjs (\d+)/.exec(logOf('one')) ?? [];
    const [, second] = /drained two.mjs (\d+)/.exec(logOf('two')) ?? [];
    expect(Number(second) - Number(first)).toBeGreaterThanOrEqual(40);
  });

  it('starts a child again, more slowly each time', async () => {
    supervisor.start({
      name: 'api',
      env: {},
      script: script('dies', `console.log('run'); process.exit(3);`),
    });
    await until(() => logOf('api').split('run').length > 3);
    expect(said.filter((line) => line.includes('ended'))).toEqual([
      'api ended (code 3) and is started again in 0.2 s.',
      'api ended (code 3) and is started again in 0.4 s.',
      ...said.filter((line) => line.includes('0.8 s')),
    ]);
  });

  it('ends a child that does not stop in time', async () => {
    const code = `process.on('SIGTERM', () => {}); console.log('up ' + process.pid); setInterval(() => {}, 1000);`;
    supervisor.start({ name: 'api', env: {}, script: script('stubborn', code) });
    await until(() => logOf('api').includes('up'));
    const pid = Number(/up (\d+)/.exec(logOf('api'))?.[1]);
    await supervisor.stop(200);
    expect(isAlive(pid)).toBe(false);
    expect(said).toContain('api did not stop in time and was ended.');
  });

  it('ends a child that was left alone before it could listen for that', async () => {
    const deaf = script('deaf', `console.log('up'); setInterval(() => {}, 1000);`);
    for (const name of ['one', 'two']) supervisor.start({ name, env: {}, script: deaf });
    supervisor.disconnect();
    await until(() => said.filter((line) => line.includes('ended (code 1)')).length === 2);
  });

  it('takes its children along when it goes', async () => {
    supervisor.start({ name: 'api', env: {}, script: script('one', STAYS) });
    await until(() => logOf('api').includes('up'));
    supervisor.disconnect();
    await until(() => said.includes('api ended (code 0) and is started again in 0.2 s.'));
  });
});

describe('what the terminal shows of a log', () => {
  it.each([
    [{ level: 30, msg: 'listening' }, undefined],
    [{ level: 30, msg: 'Connected to Demo Ltd', notice: true }, 'api: Connected to Demo Ltd'],
    [{ level: 40, msg: 'slow' }, 'api warning: slow'],
    [
      { level: 50, msg: 'no answer', err: { message: 'ECONNREFUSED', stack: 'at x' } },
      'api error: no answer: ECONNREFUSED',
    ],
    [{ level: 50, err: { message: 'boom' } }, 'api error: boom'],
  ])('%j', (entry, line) => {
    expect(terminalLine('api', JSON.stringify(entry))).toBe(line);
  });

  it('is the message of a process that failed early, without its stack', () => {
    expect(terminalLine('api', 'Error: no keys')).toBe('api: Error: no keys');
    expect(terminalLine('api', '    at main (file:///x.js:1:1)')).toBeUndefined();
    expect(terminalLine('api', 'Node.js v20.20.2')).toBeUndefined();
    expect(terminalLine('api', '  code: 42,')).toBeUndefined();
    expect(terminalLine('api', '  - PORT is missing')).toBe('api:   - PORT is missing');
    expect(terminalLine('api', '(node:12) [FSTWRN004] FastifyWarning: no')).toBeUndefined();
  });
});

describe('a log file', () => {
  it('starts anew when it is full, and keeps the one before', () => {
    const file = join(folder, 'deep', 'x.log');
    const log = new RotatingLog(file, 20);
    for (const line of ['0123456789', 'abcdefghij', 'end']) log.write(line);
    log.close();
    log.write('after the end');
    expect(readFileSync(file, 'utf8')).toBe('abcdefghij\nend\n');
    expect(readFileSync(`${file}.1`, 'utf8')).toBe('0123456789\n');
  });
});
