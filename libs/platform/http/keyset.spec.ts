import fc from 'fast-check';
import { AppError } from '../errors/app-error.js';
import { decodeCursor, encodeCursor, keysetPage, refusingForgedCursor } from './keyset.js';

const refused = (cursor: string, list = 'things', size = 2) => {
  try {
    decodeCursor(list, cursor, size);
    return false;
  } catch (error) {
    return error instanceof AppError && error.status === 400 && error.options.errors?.cursor !== undefined;
  }
};

it('a cursor comes back as it was given', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (at, id) => {
      expect(decodeCursor('things', encodeCursor('things', at, id), 2)).toEqual([at, id]);
    }),
  );
});

it('is text that a URL takes', () => {
  fc.assert(fc.property(fc.string(), (at) => /^[\w-]+$/.test(encodeCursor('things', at))));
});

it('of another list, or of another size, is refused', () => {
  const cursor = encodeCursor('things', '1', '2');
  expect(refused(cursor)).toBe(false);
  expect(refused(cursor, 'others')).toBe(true);
  expect(refused(cursor, 'things', 1)).toBe(true);
  expect(refused(cursor, 'things', 3)).toBe(true);
});

it('made up or altered is refused', () => {
  fc.assert(fc.property(fc.string(), (text) => refused(text)));
  const cursor = encodeCursor('things', '1', '2');
  for (let at = 0; at < cursor.length; at++) expect(refused(cursor.slice(0, at))).toBe(true);
  for (const forged of [[], null, {}, ['things', {}, []], ['things', null, 1]])
    expect(refused(Buffer.from(JSON.stringify(forged)).toString('base64url'))).toBe(true);
  expect(refused(`${cursor}=`)).toBe(true);
});

it('a page knows whether another follows', () => {
  const rows = [1, 2, 3].map((id) => ({ id }));
  expect(keysetPage(rows, 2, (last) => String(last.id))).toEqual({
    data: rows.slice(0, 2),
    page: { next_cursor: '2', limit: 2 },
  });
  expect(keysetPage(rows, 3, (last) => String(last.id)).page.next_cursor).toBeNull();
  expect(keysetPage([], 3, () => 'x')).toEqual({ data: [], page: { next_cursor: null, limit: 3 } });
});

it('what PostgreSQL cannot read of a cursor is the fault of whoever made it; nothing else is', async () => {
  const fail = (code: string) => () => Promise.reject(Object.assign(new Error('x'), { code }));
  await expect(refusingForgedCursor('c', fail('22P02'))).rejects.toMatchObject({ status: 400 });
  await expect(refusingForgedCursor(undefined, fail('22P02'))).rejects.toMatchObject({ code: '22P02' });
  await expect(refusingForgedCursor('c', fail('57P01'))).rejects.toMatchObject({ code: '57P01' });
  await expect(refusingForgedCursor('c', () => Promise.resolve(5))).resolves.toBe(5);
});
