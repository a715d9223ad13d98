import { ParseUUIDPipe } from '@nestjs/common';

/** An id that is no uuid is nobody's: it answers as an unknown one. */
export const idPipe = (unknown: () => Error) => new ParseUUIDPipe({ exceptionFactory: unknown });
