/** Field path (`items[0].mrp`) to messages. */
export type FieldErrors = Record<string, string[]>;

/**
 * An error that is meant for the caller: an HTTP status, a stable code (`module.what_happened`) and a sentence
 * that says what to do next. Everything else that is thrown becomes a 500 without internals.
 */
export class AppError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly options: {
      errors?: FieldErrors;
      headers?: Record<string, string>;
      extra?: Record<string, unknown>;
    } = {},
  ) {
    super(message);
    this.name = 'AppError';
  }
}

export const invalid = (errors: FieldErrors, code = 'request.invalid') =>
  new AppError(400, code, 'Validation failed', { errors });

export const notFound = (what: string, code: string) =>
  new AppError(404, code, `There is no such ${what}. Check the id; a deleted one reads the same.`);

export const conflict = (code: string, message: string, errors?: FieldErrors) =>
  new AppError(409, code, message, errors ? { errors } : {});
