/**
 * Decides who may go on reading. The identity module provides it; the hub asks once every keep-alive with the
 * distinct owners of all open streams, so that a revoked identity is cut within one.
 */
export abstract class ReaderPolicy {
  /**
   * @param owners `user:<id>` and `api_key:<id>`
   * @returns those among them that are revoked, disabled or gone
   */
  abstract revoked(owners: readonly string[]): Promise<ReadonlySet<string>>;
}
