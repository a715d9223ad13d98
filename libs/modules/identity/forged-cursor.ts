import { invalid } from '#platform/errors/app-error.js';
import { sqlState } from '#platform/persistence/database.js';

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
