import { Scattered } from './scattered.js';

it('an invoice that stands in two places is scattered, one that stands in one place however often is not', () => {
  const scattered = new Scattered();
  for (const [number, place] of [
    ['A', 0],
    ['B', 0],
    ['B', 0],
    ['A', 1],
    ['C', 1],
  ] as const)
    scattered.see(number, place);
  scattered.close();
  expect(['A', 'B', 'C', 'D'].map((number) => scattered.has(number))).toEqual([true, false, false, false]);
});

it('hundreds of thousands of numbers are told apart, but for a few', () => {
  const scattered = new Scattered();
  const numbers = Array.from({ length: 300_000 }, (_, n) => `INV-${String(n).padStart(7, '0')}`);
  numbers.forEach((number, place) => scattered.see(number, place));
  scattered.close();
  expect(numbers.filter((number) => scattered.has(number)).length).toBeLessThan(500);
});
