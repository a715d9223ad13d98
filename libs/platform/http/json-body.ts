import { isLosslessNumber, parse as parseLossless } from 'lossless-json';
import { AppError, invalid } from '../errors/app-error.js';

const MAX_DEPTH = 32;
/** A double holds 15 significant decimal digits exactly; a longer number would change on the way in. */
const MAX_DIGITS = 15;
/** Half of a character, which UTF-8 cannot carry. */
const LONE_SURROGATE = /\p{Surrogate}/u;
const MAYBE_TOO_LONG = /\d[\d.]{15,}|e-\d{2,}/i;
/** Names that mean something to objects themselves. */
const RESERVED = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Parses a JSON body into plain values that are safe to store.
 * @throws AppError 400: not JSON, nested too deeply, a NUL character, or a number that a double cannot hold
 */
export function parseJsonBody(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text) as unknown;
  } catch {
    throw new AppError(400, 'request.not_json', 'The body is not valid JSON');
  }
  inspect(value, '', 0);
  if (MAYBE_TOO_LONG.test(text))
    refuseInexact(parseLossless(text, undefined, { onDuplicateKey: ({ newValue }) => newValue }), '');
  return value;
}

function inspect(value: unknown, path: string, depth: number): void {
  if (depth > MAX_DEPTH)
    throw invalid({ [path.slice(0, 60)]: [`is nested deeper than ${MAX_DEPTH} levels`] });
  if (typeof value === 'string') {
    if (value.includes('\0')) throw invalid({ [path || 'body']: ['must not contain a NUL character'] });
    if (LONE_SURROGATE.test(value)) throw invalid({ [path || 'body']: ['must be valid Unicode'] });
  } else if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw invalid({ [path || 'body']: ['is too large a number'] });
  } else if (Array.isArray(value)) {
    value.forEach((item, index) => inspect(item, `${path}[${index}]`, depth + 1));
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      const at = path ? `${path}.${key}` : key;
      if (RESERVED.has(key) || key.includes('\0'))
        throw invalid({ [at]: ['is not a field of this request'] });
      inspect(item, at, depth + 1);
    }
  }
}

function refuseInexact(value: unknown, path: string): void {
  if (isLosslessNumber(value)) {
    const digits = value.value.replace(/e.*$/i, '').replace(/[-.]/g, '').replace(/^0+/, '');
    if (digits !== '' && Number(value.value) === 0)
      throw invalid({ [path || 'body']: ['is too small a number'] });
    if (digits.length > MAX_DIGITS)
      throw invalid({ [path || 'body']: [`has more than ${MAX_DIGITS} significant digits`] });
  } else if (Array.isArray(value)) {
    value.forEach((item, index) => refuseInexact(item, `${path}[${index}]`));
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) refuseInexact(item, path ? `${path}.${key}` : key);
  }
}
