import { Client } from 'pg';
import { Config, ConfigError } from '#platform/config/config.js';
import { Cipher } from '#platform/persistence/cipher.js';
import { ENCRYPTED_COLUMNS } from '#platform/persistence/encrypted-columns.js';
import { CliError } from './cli-error.js';

const BATCH = 500;

/**
 * Writes every encrypted value that is under an older key again under the first. Run it after putting a new key in
 * front of ENCRYPTION_KEYS; when it has ended, the old key can be taken away. Safe to repeat.
 */
export async function rotateKeys(env: NodeJS.ProcessEnv): Promise<number> {
  const config = configOf(env);
  const cipher = new Cipher(config);
  const client = new Client({ connectionString: config.databaseUrl });
  await client.connect();
  try {
    for (const { table, column, place } of ENCRYPTED_COLUMNS) {
      let rotated = 0;
      for (let found = BATCH; found === BATCH;) {
        await client.query('begin');
        const { rows } = await client.query<{ row: string; place: string; value: string }>(
          `select ctid::text as row, ${place} as place, ${column} as value from ${table}
           where split_part(${column}, '.', 2) <> $1 limit ${BATCH} for update skip locked`,
          [config.encryptionKeys[0]?.id],
        );
        const values = rows.map(({ value, place: at }) => cipher.encrypt(cipher.decrypt(value, at), at));
        await client.query(
          `update ${table} t set ${column} = v.value from unnest($1::text[], $2::text[]) as v (row, value)
           where t.ctid = v.row::tid`,
          [rows.map(({ row }) => row), values],
        );
        await client.query('commit');
        found = rows.length;
        rotated += found;
      }
      await refuseLeft(client, table, column, config.encryptionKeys[0]?.id);
      console.log(`${table}.${column}: ${rotated} rotated`);
    }
    return 0;
  } finally {
    await client.end();
  }
}

/** Rows that somebody held locked were passed over: then the old key is still needed. */
async function refuseLeft(
  client: Client,
  table: string,
  column: string,
  id: string | undefined,
): Promise<void> {
  const { rows } = await client.query<{ n: string }>(
    `select count(*) as n from ${table} where split_part(${column}, '.', 2) <> $1`,
    [id],
  );
  if (Number(rows[0]?.n) > 0)
    throw new CliError(`${rows[0]?.n} values of ${table} are in use; run it again.`);
}

function configOf(env: NodeJS.ProcessEnv): Config {
  try {
    return Config.from(env);
  } catch (error) {
    if (error instanceof ConfigError) throw new CliError(error.message);
    throw error;
  }
}
