import fc from 'fast-check';
import { AppError } from '../errors/app-error.js';
import { parseJsonBody } from './json-body.js';

function refusalOf(text: string): AppError | null {
  try {
    parseJsonBody(text);
    return null;
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}

it('reads what JSON.parse reads, or refuses it with 400: never anything else', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json(),
        fc.string(),
        fc.jsonValue().map((value) => JSON.stringify(value)),
      ),
      (text) => {
        const refusal = refusalOf(text);
        if (refusal) return refusal.status === 400;
        expect(parseJsonBody(text)).toEqual(JSON.parse(text));
        return true;
      },
    ),
    { numRuns: 3000 },
  );
});

it('takes every number of up to 15 digits as it is', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -999_999_999_999_999, max: 999_999_999_999_999 }),
      fc.integer({ min: 0, max: 10 }),
      (n, scale) => {
        const text = (n / 10 ** scale).toString();
        return text.replace(/e.*$|\D/g, '').length > 15 || refusalOf(`{"a":${text}}`) === null;
      },
    ),
  );
});

it.each<[string, string]>([
  ['{"a":1234567890123456}', 'a'],
  ['{"a":0.1234567890123456}', 'a'],
  ['{"a":-1234567890.1234567}', 'a'],
  ['{"a":{"b":[1,1.234567890123456789]}}', 'a.b[1]'],
  ['{"a":12345678901234567e3}', 'a'],
  ['{"a":1e-400}', 'a'],
  ['{"a":1e400}', 'a'],
  ['{"a":"x\\u0000"}', 'a'],
  ['{"a":["ok","x\\ud800"]}', 'a[1]'],
  ['{"__proto__":{"x":1}}', '__proto__'],
  ['{"a":{"constructor":1}}', 'a.constructor'],
  ['"\\u0000"', 'body'],
])('refuses %s and names %s', (text, field) => {
  expect(Object.keys(refusalOf(text)?.options.errors ?? {})).toEqual([field]);
});

it.each([
  '{"a":0.00000000000000001}',
  '{"a":"1234567890123456789"}',
  '{"a":123456789012345}',
  '{"phone":"12345678901234567890","n":1.5}',
])('takes %s, which is held exactly', (text) => expect(refusalOf(text)).toBeNull());

it('takes 32 levels and refuses one more', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  expect(refusalOf(nested(32))).toBeNull();
  expect(refusalOf(nested(34))?.status).toBe(400);
  expect(refusalOf(nested(200_000))?.status).toBe(400);
});

it.each(['', '{', '{"a":}', "{'a':1}", 'undefined', 'NaN', '{"a":1}x', '\u0000'])(
  'says that %j is not JSON',
  (text) => {
    expect(refusalOf(text)).toMatchObject({ status: 400, code: 'request.not_json' });
  },
);

it('a key that stands twice is refused or read as JSON.parse does, alone and beside long digits', () => {
  for (const text of [
    '{"a":1,"a":2}',
    '{"a":"1234567890123456","a":2}',
    '{"b":{"a":1,"a":2},"c":"12345678901234567"}',
  ]) {
    const refusal = refusalOf(text);
    if (refusal) expect(refusal.status).toBe(400);
    else expect(parseJsonBody(text)).toEqual(JSON.parse(text));
  }
});
