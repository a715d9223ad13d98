import { invalid } from '../errors/app-error.js';
import { sqlState } from '../persistence/database.js';

/** `{data, page}` as every list outside of the seeds answers. */
export interface KeysetPage<Row> {
  data: Row[];
  page: { next_cursor: string | null; limit: number };
}

/** Opaque to callers; names its list, so that the cursor of another list is refused. */
export function encodeCursor(list: string, ...position: (string | number)[]): string {
  return Buffer.from(JSON.stringify([list, ...position])).toString('base64url');
}

/**
 * @param size how many values the list's position has
 * @throws 400 naming `cursor` for anything that this list did not hand out
 */
export function decodeCursor(list: string, cursor: string, size: number): string[] {
  try {
    const [name, ...position] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown[];
    const fits =
      position.length === size && position.every((v) => typeof v === 'string' || typeof v === 'number');
    if (name === list && fits && encodeCursor(list, ...(position as string[])) === cursor)
      return position.map(String);
  } catch {
    // Falls through: what does not parse is not ours.
  }
  throw invalid({ cursor: ['is not a cursor of this list'] });
}

/** Cuts the one row too many that was asked for to learn whether a next page exists. */
export function keysetPage<Row>(
  rows: Row[],
  limit: number,
  cursorOf: (last: Row) => string,
): KeysetPage<Row> {
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  return { data, page: { next_cursor: rows.length > limit && last ? cursorOf(last) : null, limit } };
}

/**
 * Runs a list's query. A cursor that has the right shape but positions that PostgreSQL cannot read (its data
 * exceptions, class 22) was made by hand: 400, not 500.
 */
export async function refusingForgedCursor<T>(
  cursor: string | undefined,
  query: () => Promise<T>,
): Promise<T> {
  try {
    return await query();
  } catch (error) {
    if (cursor !== undefined && sqlState(error)?.startsWith('22'))
      throw invalid({ cursor: ['is not a cursor of this list'] });
    throw error;
  }
}
