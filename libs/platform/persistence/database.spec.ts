import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { type TestDatabase, createTestDatabase } from '#testing/database.js';
import { Database, isConnectionLost, sqlState } from './database.js';

let database: TestDatabase;
let source: DataSource;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase({ empty: true });
  source = await new DataSource({ type: 'postgres', url: database.url, poolSize: 10 }).initialize();
  db = new Database(source, (source.driver as unknown as { master: Pool }).master);
  await db.execute('create table account (id int primary key, balance int not null)');
});
afterAll(async () => {
  await source.destroy();
  await database.drop();
});
beforeEach(async () => {
  await db.execute('truncate account');
  await db.execute('insert into account values (1, 100), (2, 100)');
});

const balance = async (id: number) =>
  (await db.first<{ balance: number }>('select balance from account where id = $1', [id]))?.balance;
const add = (id: number, amount: number) =>
  db.execute('update account set balance = balance + $2 where id = $1', [id, amount]);
/** A promise that others wait for. */
function gate(): { open: () => void; passed: Promise<void> } {
  let open: () => void = () => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { open, passed };
}

describe('a transaction', () => {
  it('commits all or nothing', async () => {
    await db.tx(async () => {
      await add(1, -10);
      await add(2, 10);
    });
    expect([await balance(1), await balance(2)]).toEqual([90, 110]);
    const failing = db.tx(async () => {
      await add(1, -10);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await balance(1)).toBe(90);
  });

  it('is joined by those inside: the inner one commits and rolls back with the outer', async () => {
    const outer = db.tx(async () => {
      await db.tx(() => add(1, -10));
      expect(await balance(1)).toBe(90);
      throw new Error('outer');
    });
    await expect(outer).rejects.toThrow('outer');
    expect(await balance(1)).toBe(100);
  });

  it('is seen by nobody else before it commits', async () => {
    let outside: ReturnType<typeof balance> | undefined;
    let look: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => (look = resolve)).then(() => (outside = balance(1)));
    await db.tx(async () => {
      await add(1, 5);
      expect(await balance(1)).toBe(105);
      look();
      await asked;
    });
    expect(await outside).toBe(100);
    expect(await balance(1)).toBe(105);
  });

  it('holds entities of TypeORM as well as plain statements', async () => {
    await expect(
      db.tx(async () => {
        await db.manager.query('update account set balance = 0 where id = 1');
        expect(await balance(1)).toBe(0);
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await balance(1)).toBe(100);
  });

  it('side by side with others stays apart from them', async () => {
    await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        db
          .tx(async () => {
            await add(1, i);
            if (i % 2) throw new Error('odd');
          })
          .catch(() => undefined),
      ),
    );
    expect(await balance(1)).toBe(100 + Array.from({ length: 15 }, (_, i) => 2 * i).reduce((a, b) => a + b));
  });

  it('does not claim to have committed what a swallowed error rolled back', async () => {
    let told = false;
    const result = db.tx(async () => {
      db.afterCommit(() => (told = true));
      await add(1, -10);
      await db.execute('insert into account values (2, 0)').catch(() => undefined);
      return 'done';
    });
    await expect(result).rejects.toThrow();
    expect([await balance(1), told]).toEqual([100, false]);
  });

  it('leaves its connection usable after an error', async () => {
    for (let i = 0; i < 25; i++)
      await expect(db.tx(() => db.execute('select 1/0'))).rejects.toThrow('division');
    expect(await balance(1)).toBe(100);
  });
});

describe('afterCommit', () => {
  it('runs after the commit, in order, once', async () => {
    const seen: string[] = [];
    await db.tx(async () => {
      db.afterCommit(() => seen.push('first'));
      await db.tx(() => Promise.resolve(db.afterCommit(() => seen.push('second'))));
      expect(seen).toEqual([]);
    });
    expect(seen).toEqual(['first', 'second']);
  });

  it('never runs after a rollback, and runs at once outside of a transaction', async () => {
    const seen: string[] = [];
    const failing = db.tx(async () => {
      db.afterCommit(() => seen.push('never'));
      await add(1, 1);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow();
    expect(seen).toEqual([]);
    db.afterCommit(() => seen.push('now'));
    expect(seen).toEqual(['now']);
  });

  it('of an attempt that was run again is forgotten', async () => {
    let attempts = 0;
    const seen: number[] = [];
    await db.tx(() => {
      const attempt = ++attempts;
      db.afterCommit(() => seen.push(attempt));
      if (attempt < 3) throw Object.assign(new Error('again'), { code: '40001' });
      return Promise.resolve();
    });
    expect(seen).toEqual([3]);
  });
});

describe('a statement alongside', () => {
  const note = (id: number, amount: number) =>
    db.alongside('test.alongside', 'insert into account values ($1, $2)', [id, amount]);

  it('commits with its transaction', async () => {
    await db.tx(async () => {
      await note(3, 5);
      await add(1, 1);
    });
    expect([await balance(1), await balance(3)]).toEqual([101, 5]);
  });

  it('that fails takes the whole transaction with it, and its error comes out', async () => {
    let told = false;
    const failing = db.tx(async () => {
      db.afterCommit(() => (told = true));
      await add(1, 1);
      await note(2, 5);
    });
    await expect(failing).rejects.toMatchObject({ code: '23505' });
    expect([await balance(1), told]).toEqual([100, false]);
    expect(await balance(2)).toBe(100);
  });

  it('is forgotten with an attempt that failed', async () => {
    let attempts = 0;
    await db.tx(async () => {
      await note(4, 1);
      if (++attempts === 1) throw Object.assign(new Error('again'), { code: '40001' });
    });
    expect([attempts, await balance(4)]).toEqual([2, 1]);
  });

  it('runs at once outside of a transaction', async () => {
    await note(5, 7);
    expect(await balance(5)).toBe(7);
  });
});

describe('a transaction that PostgreSQL refuses for others is run again', () => {
  it('after a deadlock (40P01)', async () => {
    let attempts = 0;
    const [first, second] = [gate(), gate()];
    const move = (from: number, to: number, mine: ReturnType<typeof gate>, theirs: ReturnType<typeof gate>) =>
      db.tx(async () => {
        attempts++;
        await add(from, -10);
        mine.open();
        await theirs.passed;
        await add(to, 10);
      });
    await Promise.all([move(1, 2, first, second), move(2, 1, second, first)]);
    expect(attempts).toBeGreaterThan(2);
    expect([await balance(1), await balance(2)]).toEqual([100, 100]);
  });

  it('after a serialization failure (40001)', async () => {
    let attempts = 0;
    const read = gate();
    const slow = db.tx(
      async () => {
        attempts++;
        const before = (await balance(1)) ?? 0;
        if (attempts === 1) await read.passed;
        await db.execute('update account set balance = $1 where id = 1', [before + 1]);
      },
      { isolation: 'REPEATABLE READ' },
    );
    await new Promise((resolve) => setTimeout(resolve, 30));
    await add(1, 50);
    read.open();
    await slow;
    expect(attempts).toBe(2);
    expect(await balance(1)).toBe(151);
  });

  it('a limited number of times, then the error comes out', async () => {
    let attempts = 0;
    const failing = db.tx(
      () => {
        attempts++;
        throw Object.assign(new Error('busy'), { code: '40P01' });
      },
      { attempts: 3 },
    );
    await expect(failing).rejects.toThrow('busy');
    expect(attempts).toBe(3);
  });

  it('but not for any other error', async () => {
    let attempts = 0;
    const failing = db.tx(async () => {
      attempts++;
      await db.execute('insert into account values (1, 0)');
    });
    await expect(failing).rejects.toMatchObject({ code: '23505' });
    expect(attempts).toBe(1);
  });

  it('never the inner one alone', async () => {
    let inner = 0;
    await db.tx(() =>
      db.tx(() => {
        if (++inner === 1) throw Object.assign(new Error('again'), { code: '40001' });
        return add(1, 1);
      }),
    );
    expect([inner, await balance(1)]).toEqual([2, 101]);
  });
});

describe('errors', () => {
  it.each<[string, unknown, boolean]>([
    ['server restarting', { code: '57P01', message: 'terminating connection' }, true],
    ['server starting', { code: '57P03', message: 'the database system is starting up' }, true],
    ['too many connections', { code: '53300', message: 'sorry' }, true],
    ['connection exception', { code: '08006', message: 'x' }, true],
    ['a broken pipe', { code: 'EPIPE', message: 'write EPIPE' }, true],
    ['nobody there', { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED 127.0.0.1:1' }, true],
    ['cut', { message: 'Connection terminated unexpectedly' }, true],
    ['TypeORM around it', { driverError: { code: '57P01' }, message: 'x' }, true],
    ['a unique violation', { code: '23505', message: 'duplicate key' }, false],
    ['a bug', { message: 'x is not a function' }, false],
    ['nothing', undefined, false],
  ])('%s is a lost connection or not', (_what, error, lost) => {
    const thrown = error && Object.assign(new Error(), error);
    expect(isConnectionLost(thrown)).toBe(lost);
  });

  it('show their SQLSTATE only where PostgreSQL spoke', () => {
    expect(sqlState({ code: '40001' })).toBe('40001');
    expect(sqlState({ driverError: { code: '23505' } })).toBe('23505');
    for (const other of [{ code: 'EPIPE' }, { code: 'ECONNRESET' }, { code: 5 }, null, 'x', {}])
      expect(sqlState(other)).toBeUndefined();
  });
});
