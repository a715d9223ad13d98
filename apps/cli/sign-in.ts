import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readRunFile } from '../standalone/data-dir-lock.js';
import { loadSecrets } from '../standalone/secrets.js';
import { CliError } from './cli-error.js';

/** Where the API is, and headers that identify us. */
export interface Access {
  url: string;
  headers: Record<string, string>;
}

/** Finds the API of this machine's `npm start` and signs in as its administrator, unless told otherwise. */
export async function signIn(
  env: NodeJS.ProcessEnv,
  options: { url?: string; key?: string },
): Promise<Access> {
  const dataDir = resolve(env.DATA_DIR ?? '.data');
  const url = (options.url ?? readRunFile(dataDir)?.url ?? env.PUBLIC_URL)?.replace(/\/+$/, '');
  if (!url) throw new CliError('No running Instep found. Run `npm start` first, or name one with --url.');
  if (options.key) return { url, headers: { authorization: `Bearer ${options.key}` } };
  const { email, password } = administrator(dataDir, env);
  const response = await fetch(`${url}/api/identity/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password }),
  }).catch(() => {
    throw new CliError(`Nothing answers at ${url}. Is it running?`);
  });
  const answer = (await response.json()) as { access_token?: string; detail?: string };
  if (!answer.access_token)
    throw new CliError(
      `Sign-in at ${url} was refused: ${answer.detail ?? response.status}. Give an API key with --key.`,
    );
  return { url, headers: { authorization: `Bearer ${answer.access_token}` } };
}

function administrator(dataDir: string, env: NodeJS.ProcessEnv): { email: string; password: string } {
  if (env.ADMIN_EMAIL && env.ADMIN_PASSWORD) return { email: env.ADMIN_EMAIL, password: env.ADMIN_PASSWORD };
  if (env.DATABASE_URL) throw new CliError('Give an API key with --key, or ADMIN_EMAIL and ADMIN_PASSWORD.');
  if (!existsSync(join(dataDir, 'secrets'))) {
    throw new CliError(
      `${dataDir} holds no Instep. Run \`npm start\` first, set DATA_DIR, or give --url and --key.`,
    );
  }
  const { ADMIN_EMAIL, ADMIN_PASSWORD } = loadSecrets(dataDir, env);
  return { email: ADMIN_EMAIL, password: ADMIN_PASSWORD };
}
