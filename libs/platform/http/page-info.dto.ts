/** Where a keyset list goes on. */
export class PageInfo {
  /** Null on the last page. */
  next_cursor: string | null;
  /** @example 50 */
  limit: number;
}
