import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { IsEmail, IsString, Matches, MaxLength, MinLength } from 'class-validator';
import { MAX_PASSWORD, MIN_PASSWORD } from './passwords.js';

/** PostgreSQL takes no NUL, and no name needs the other control characters. */
const PRINTABLE = /^\P{Cc}+$/u;

/** Trimmed, 1 to `max` characters, on one line. */
export const OneLine = (max: number) =>
  applyDecorators(
    Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? value.trim() : value)),
    IsString(),
    MinLength(1),
    MaxLength(max),
    Matches(PRINTABLE, { message: 'must not have control characters' }),
  );

/** An e-mail address, kept in lower case: two spellings are one account. */
export const EmailAddress = () =>
  applyDecorators(
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' ? normalizedEmail(value) : value,
    ),
    IsEmail({ require_tld: false }),
    MaxLength(254),
  );

export const normalizedEmail = (text: string): string => text.trim().toLowerCase();

/** A password to be set. */
export const NewPassword = () =>
  applyDecorators(IsString(), MinLength(MIN_PASSWORD), MaxLength(MAX_PASSWORD));
