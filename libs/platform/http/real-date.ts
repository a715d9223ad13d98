import { type ValidationOptions, registerDecorator } from 'class-validator';

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;

/** True for a day that exists, as `YYYY-MM-DD`, from year 1900 to 9999. */
export function isRealDate(value: unknown): value is string {
  const match = typeof value === 'string' ? DATE.exec(value) : null;
  if (!match) return false;
  const [year, month, day] = match.slice(1).map(Number);
  if (!year || !month || !day || year < 1900) return false;
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

/** A date without time. It never crosses a time zone, so it stays text. */
export function IsRealDate(options: ValidationOptions = {}) {
  return (target: object, propertyName: string) =>
    registerDecorator({
      name: 'isRealDate',
      target: target.constructor,
      propertyName,
      options,
      validator: { validate: isRealDate, defaultMessage: () => 'must be a date that exists, as YYYY-MM-DD' },
    });
}
