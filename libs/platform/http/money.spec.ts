import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { PRICE, QUANTITY, readDecimal } from './money.js';

const RULE = { scale: 4, integers: 11 };

/** What decimal.js says of the same amount: its text, or that it does not fit. */
function expected(value: number | string): string | null {
  const decimal = new Decimal(value);
  const digits = decimal.abs().toFixed().split('.')[0]?.replace(/^0+/, '').length ?? 0;
  const fits = decimal.dp() <= RULE.scale && digits <= RULE.integers && significant(decimal) <= 15;
  return fits ? (decimal.isZero() ? '0' : decimal.toFixed()) : null;
}

/** Digits without leading and trailing zeros on either side of the point. */
const significant = (decimal: Decimal) => decimal.abs().toFixed().replace('.', '').replace(/^0+/, '').length;

const read = (value: unknown) => readDecimal(value, RULE);
const textOf = (value: unknown) => {
  const result = read(value);
  return 'text' in result ? result.text : null;
};

it('reads any number as decimal.js does, or refuses it', () => {
  const numbers = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc
      .tuple(fc.integer({ min: -999_999_999, max: 999_999_999 }), fc.integer({ min: 0, max: 6 }))
      .map(([n, scale]) => n / 10 ** scale),
    fc
      .tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -330, max: 308 }))
      .map(([n, power]) => Number(`${n}e${power}`)),
  );
  fc.assert(
    fc.property(numbers, (value) => textOf(value) === expected(value)),
    { numRuns: 5000 },
  );
});

it('reads any decimal text as decimal.js does, or refuses it', () => {
  const digits = (max: number) =>
    fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: max });
  const texts = fc
    .tuple(fc.constantFrom('', '-'), digits(14), fc.option(digits(7), { nil: null }))
    .map(([sign, integers, decimals]) => `${sign}${integers}${decimals === null ? '' : `.${decimals}`}`);
  fc.assert(
    fc.property(texts, (value) => textOf(value) === expected(value)),
    { numRuns: 5000 },
  );
});

it('its answer reads as itself, and as the number it came from', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -999_999_999_999, max: 999_999_999_999 }),
      fc.integer({ min: 0, max: 4 }),
      (n, scale) => {
        const text = textOf(new Decimal(n).div(10 ** scale).toFixed());
        if (text === null) return true;
        return textOf(text) === text && Number(text) === n / 10 ** scale;
      },
    ),
  );
});

it('never takes what is not a decimal', () => {
  const others = fc.oneof(
    fc.string(),
    fc.constantFrom('', '.', '1.', '.5', '1e5', '0x1', 'NaN', 'Infinity', '1 0', '1_0', '--1', '١'),
    fc.object(),
    fc.boolean(),
    fc.constant(null),
  );
  fc.assert(
    fc.property(
      others,
      (value) =>
        (typeof value === 'string' && /^[+-]?\d+(\.\d+)?$/.test(value.trim())) || textOf(value) === null,
    ),
    { numRuns: 2000 },
  );
});

it.each<[unknown, string]>([
  [0, '0'],
  [-0, '0'],
  ['-0.000', '0'],
  ['007.10', '7.1'],
  [1e-4, '0.0001'],
  [99999999999, '99999999999'],
  ['99999999999.9999', '99999999999.9999'],
  [-11062.06, '-11062.06'],
])('%j is %s', (value, text) => expect(textOf(value)).toBe(text));

it.each<[unknown, RegExp]>([
  [1.00001, /4 decimals/],
  [1e-30, /4 decimals/],
  [5e-324, /4 decimals/],
  [100000000000, /too large/],
  [1e300, /too large/],
  [NaN, /number or a decimal string/],
  [Infinity, /number or a decimal string/],
  [{}, /number or a decimal string/],
  ['ten', /number or a decimal string/],
])('%j is refused in words', (value, why) => {
  const result = read(value);
  expect('problem' in result && result.problem).toMatch(why);
});

it('unit prices and quantities have 4 decimals', () => {
  expect([PRICE.scale, QUANTITY.scale]).toEqual([4, 4]);
});
