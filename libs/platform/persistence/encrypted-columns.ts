/** A column that {@link Cipher} filled; `place` is the SQL of the associated data it was bound to. */
export interface EncryptedColumn {
  table: string;
  column: string;
  place: string;
}

/** All of them: what key rotation goes through. */
export const ENCRYPTED_COLUMNS: readonly EncryptedColumn[] = [
  { table: 'platform.idempotency_answer', column: 'body', place: `'idempotency:' || identity || ':' || key` },
];
