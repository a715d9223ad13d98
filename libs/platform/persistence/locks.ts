/** Keys of PostgreSQL advisory locks: one place, so that no two meanings share a number. */
export const LOCKS = {
  /** Held while the schema is brought forward. */
  migrate: 4_711_001,
  /** Held by the one sequencer that works. */
  sequencer: 4_711_002,
  /** Held while the first administrator is made. */
  firstAdministrator: 4_711_003,
} as const;
