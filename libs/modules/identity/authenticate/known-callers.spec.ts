import type { Database } from '#platform/persistence/database.js';
import type { Notifier } from '#platform/persistence/notifier.js';
import type { Caller } from './caller.js';
import { KnownCallers } from './known-callers.js';

const caller = (role: Caller['role']): Caller => ({
  actor: { kind: 'user', id: 'u', label: 'u' },
  role,
  terminalId: null,
  via: 'bearer',
  sessionId: 's',
});

/** Neither is asked for anything here but to pass the change on. */
const db = { afterCommit: (work: () => void) => work() } as unknown as Database;
const notifier = { poke: () => undefined } as unknown as Notifier;

describe('known callers', () => {
  let questions: ((answer: Caller | null) => void)[];
  let known: KnownCallers;
  let proofs: number;
  let expiresAt: number;

  beforeEach(() => {
    questions = [];
    proofs = 0;
    expiresAt = Infinity;
    known = new KnownCallers(db, notifier);
  });

  const find = () =>
    known.find('token', () => {
      proofs++;
      return { expiresAt, load: () => new Promise((resolve) => questions.push(resolve)) };
    });
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  it('prove a credential once and ask once, however many requests arrive together', async () => {
    const first = find();
    await settle();
    const more = [find(), find()];
    await settle();
    expect(questions).toHaveLength(1);
    questions[0]?.(caller('viewer'));
    expect(await Promise.all([first, ...more])).toEqual(Array(3).fill(caller('viewer')));
    expect((await find())?.role).toBe('viewer');
    expect([proofs, questions.length]).toEqual([1, 1]);
  });

  it('ask again after a change, and do not take the answer to an older question', async () => {
    const before = find();
    await settle();
    known.announceChange();
    const after = find();
    await settle();
    expect(questions).toHaveLength(2);
    questions[1]?.(null);
    questions[0]?.(caller('admin'));
    expect((await before)?.role).toBe('admin');
    expect(await after).toBeNull();
    void find();
    await settle();
    expect(questions).toHaveLength(3);
  });

  it('do not outlive their token', async () => {
    expiresAt = Date.now() + 50;
    const first = find();
    await settle();
    questions[0]?.(caller('viewer'));
    await first;
    await new Promise((resolve) => setTimeout(resolve, 60));
    await expect(find()).rejects.toMatchObject({ status: 401, code: 'access.invalid_token' });
  });

  it('pass a failure of the database on, and try again', async () => {
    let fail = true;
    const load = () => (fail ? Promise.reject(new Error('gone')) : Promise.resolve(caller('viewer')));
    const ask = () => known.find('other', () => ({ expiresAt, load }));
    await expect(ask()).rejects.toThrow('gone');
    fail = false;
    expect((await ask())?.role).toBe('viewer');
  });
});
