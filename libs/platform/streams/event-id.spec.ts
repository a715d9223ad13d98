import fc from 'fast-check';
import { parseEventId } from './event-id.js';

it('reads what the hub writes', () => {
  expect(parseEventId('sales-invoices.42')).toEqual({ stream: 'sales-invoices', seq: 42 });
  expect(parseEventId('session-00000000-0000-4000-8000-000000000000.1')).toMatchObject({ seq: 1 });
});

it.each([
  undefined,
  '',
  '.',
  '5',
  'a.',
  '.5',
  'a.-1',
  'a.1.2',
  'a b.1',
  'A.1',
  'a.1e3',
  `a.${'9'.repeat(16)}`,
  `${'a'.repeat(81)}.1`,
])('takes %p for none', (header) => {
  expect(parseEventId(header)).toBeNull();
});

it('takes several headers for none', () => expect(parseEventId(['a.1', 'a.2'])).toBeNull());

it('never fails, and never answers with a number that is not exact', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const id = parseEventId(text);
      return id === null || (Number.isSafeInteger(id.seq) && id.seq >= 0);
    }),
  );
});
