import 'reflect-metadata';
import { migrate } from '#migrations/migrate.js';
import { readEnvironment } from '#platform/config/environment.js';
import { CliError } from './cli-error.js';
import { importFile } from './import-file.js';
import { rotateKeys } from './rotate-keys.js';

const USAGE = `Usage:
  npm run import -- FILE [options]   import invoices from a CSV or NDJSON file (also .gz)
      --map JSON                     CSV: {"field": "header of the file"}
      --default-customer CODE        customer of rows that name none
      --url URL                      the API (default: the one that npm start runs)
      --key KEY                      an API key (default: the administrator's sign-in)
      --rejected FILE                where refused rows go (default: FILE.rejected.csv)
  npm run migrate                    bring the schema of DATABASE_URL forward
  npm run rotate-keys                write secrets again under the first of ENCRYPTION_KEYS`;

const [command, ...args] = process.argv.slice(2);
try {
  process.exitCode = await run(command, args);
} catch (error) {
  if (!(error instanceof CliError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

async function run(name: string | undefined, rest: string[]): Promise<number> {
  const env = readEnvironment();
  switch (name) {
    case 'import':
      return importFile(rest, env);
    case 'migrate':
      if (!env.DATABASE_URL)
        throw new CliError('DATABASE_URL is missing. `npm start` migrates its own database by itself.');
      await migrate(env.DATABASE_URL);
      console.log('The schema is up to date.');
      return 0;
    case 'rotate-keys':
      return rotateKeys(env);
    default:
      console.error(USAGE);
      return 2;
  }
}
