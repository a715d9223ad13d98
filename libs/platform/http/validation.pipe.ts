import { ValidationPipe } from '@nestjs/common';
import type { ValidationError } from 'class-validator';
import { type FieldErrors, invalid } from '../errors/app-error.js';

/** Refuses unknown fields and names every field that is wrong, by its path (`items[0].mrp`). */
export const validationPipe = () =>
  new ValidationPipe({
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    transform: true,
    stopAtFirstError: true,
    validationError: { target: false, value: false },
    exceptionFactory: (errors: ValidationError[]) => invalid(fieldErrors(errors)),
  });

export function fieldErrors(errors: readonly ValidationError[], parent = ''): FieldErrors {
  const found: FieldErrors = {};
  for (const error of errors) {
    const path = /^\d+$/.test(error.property)
      ? `${parent}[${error.property}]`
      : parent
        ? `${parent}.${error.property}`
        : error.property;
    const messages = Object.entries(error.constraints ?? {}).map(([rule, message]) =>
      rule === 'whitelistValidation'
        ? 'is not a field of this request'
        : message.replace(`${error.property} `, ''),
    );
    if (messages.length > 0) found[path] = messages;
    Object.assign(found, fieldErrors(error.children ?? [], path));
  }
  return found;
}
