import { existsSync } from 'node:fs';

/**
 * A copy of the process environment with the `.env` file of the working directory beneath it (real variables
 * win). The only place that reads `process.env`: everything else is handed a {@link Config}.
 */
export function readEnvironment(): NodeJS.ProcessEnv {
  if (existsSync('.env')) process.loadEnvFile('.env');
  // `NAME=` means "not set", as people leave lines in a .env file.
  return Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ''));
}
