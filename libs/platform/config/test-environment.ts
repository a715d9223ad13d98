/** The throw-away PostgreSQL that `npm test` started; only tests ask. */
export function testServerUrl(): string {
  const url = process.env.INSTEP_TEST_SERVER;
  if (!url) throw new Error('Run tests with `npm test`: it starts the PostgreSQL that they need.');
  return url;
}

/** True for `npm run test:faults`: fault tests run at their full numbers. */
export const faultsInFull = (): boolean => process.env.FAULTS === 'full';
