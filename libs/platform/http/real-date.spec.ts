import fc from 'fast-check';
import { isRealDate } from './real-date.js';

const iso = (date: Date) => date.toISOString().slice(0, 10);

it('every day from 1900 to 9999 is one', () => {
  const days = fc.date({ min: new Date('1900-01-01'), max: new Date('9999-12-31'), noInvalidDate: true });
  fc.assert(fc.property(days, (date) => isRealDate(iso(date))));
});

it('a day that rolls over into another month is none', () => {
  const parts = fc.tuple(
    fc.integer({ min: 1900, max: 2200 }),
    fc.integer({ min: 0, max: 14 }),
    fc.integer({ min: 0, max: 33 }),
  );
  fc.assert(
    fc.property(parts, ([year, month, day]) => {
      const text = [String(year), String(month).padStart(2, '0'), String(day).padStart(2, '0')].join('-');
      const date = new Date(`${text}T00:00:00Z`);
      const exists = !Number.isNaN(date.getTime()) && iso(date) === text;
      return isRealDate(text) === exists;
    }),
    { numRuns: 2000 },
  );
});

it.each(['2024-02-29', '2000-02-29', '1900-01-01', '9999-12-31'])('%s exists', (text) =>
  expect(isRealDate(text)).toBe(true),
);

it.each([
  '2023-02-29',
  '1900-02-29',
  '2026-04-31',
  '0000-01-01',
  '1899-12-31',
  '2026-1-1',
  '26-01-01',
  '2026-01-01 ',
  '',
  20260101,
  null,
  undefined,
  new Date(),
])('%p does not', (value) => expect(isRealDate(value)).toBe(false));
