import { conflict } from '#platform/errors/app-error.js';
import type { Database } from '#platform/persistence/database.js';

/**
 * To be called, in its transaction, before a person stops being an enabled administrator. Locks the administrators
 * in one order, so that two who remove each other at the same moment do not both succeed.
 * @throws AppError 409 when nobody else could administer
 */
export async function requireAnotherAdmin(db: Database, userId: string): Promise<void> {
  const admins = await db.query<{ id: string }>(
    `select id from identity."user" where role = 'admin' and not disabled order by id for update`,
  );
  const isOne = admins.some(({ id }) => id === userId);
  if (isOne && admins.length === 1) {
    throw conflict('identity.last_admin', 'This is the last enabled administrator. Make another one first.');
  }
}
