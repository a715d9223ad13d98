import { Decimal } from 'decimal.js';
import { type ValidationOptions, registerDecorator } from 'class-validator';
import { ApiProperty } from '@nestjs/swagger';
import { applyDecorators } from '@nestjs/common';

/** What an amount may be. */
export interface DecimalRule {
  /** Digits after the point. */
  scale: number;
  /** Digits before the point. */
  integers: number;
}

/** Unit prices have 4 decimals. */
export const PRICE: DecimalRule = { scale: 4, integers: 11 };
export const QUANTITY: DecimalRule = { scale: 4, integers: 11 };

const PLAIN = /^-?(\d+)(?:\.(\d+))?$/;

/**
 * The canonical text of an amount that came as a number or a decimal string, or a message that says what is wrong.
 * Never goes through a float: a number's shortest text is exact up to 15 significant digits.
 */
export function readDecimal(value: unknown, rule: DecimalRule): { text: string } | { problem: string } {
  if (typeof value !== 'number' && typeof value !== 'string')
    return { problem: 'must be a number or a decimal string' };
  const text = typeof value === 'number' ? new Decimal(value).toFixed() : value;
  const match = PLAIN.exec(text);
  if (!match?.[1]) return { problem: 'must be a number or a decimal string' };
  const integers = match[1].replace(/^0+/, '');
  const decimals = (match[2] ?? '').replace(/0+$/, '');
  if (decimals.length > rule.scale) return { problem: `must have at most ${rule.scale} decimals` };
  if (integers.length > rule.integers) return { problem: 'is too large' };
  if ((integers + decimals).length > 15) return { problem: 'has more than 15 significant digits' };
  const sign = text.startsWith('-') && integers + decimals !== '' ? '-' : '';
  return { text: `${sign}${integers || '0'}${decimals && `.${decimals}`}` };
}

/** Validates an amount by its rule. */
export function IsDecimalAmount(rule: DecimalRule, options: ValidationOptions = {}) {
  return applyDecorators(
    ApiProperty({
      oneOf: [{ type: 'number' }, { type: 'string', pattern: '^-?\\d+(\\.\\d+)?$' }],
      description: `At most ${rule.scale} decimals and 15 significant digits`,
    }),
    (target: object, propertyName: string | symbol) =>
      registerDecorator({
        name: 'isDecimalAmount',
        target: target.constructor,
        propertyName: String(propertyName),
        options,
        validator: {
          validate: (value: unknown) => 'text' in readDecimal(value, rule),
          defaultMessage: (args) => {
            const read = readDecimal(args?.value, rule);
            return 'problem' in read ? read.problem : 'is not valid';
          },
        },
      }),
  );
}
