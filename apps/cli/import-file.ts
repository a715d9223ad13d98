import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { createGunzip } from 'node:zlib';
import { CliError } from './cli-error.js';
import { type SessionFrame, followSession } from './follow-session.js';
import { signIn } from './sign-in.js';

/** `import FILE [options]`: sends the file to the API and shows its progress. @returns the exit code */
export async function importFile(args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { values, positionals } = parse(args);
  const [file] = positionals;
  if (!file || positionals.length > 1) throw new CliError('Name one file: npm run import -- FILE');
  if (!existsSync(file)) throw new CliError(`There is no file ${file}.`);
  const format = formatOf(file);
  const api = await signIn(env, values);
  const query = new URLSearchParams({
    ...(values.map && { map: values.map }),
    ...(values['default-customer'] && { default_customer_code: values['default-customer'] }),
  });
  const started = await upload(
    `${api.url}/api/sales/import/invoices/?${query.toString()}`,
    file,
    format,
    api.headers,
  );
  const last = await followSession({
    url: api.url + started.stream_url,
    headers: api.headers,
    label: 'Importing',
    output: process.stdout,
  });
  console.log(summary(last));
  if ((last.failed ?? 0) + (last.skipped ?? 0) + (last.conflicts ?? 0) > 0) {
    const rejected = values.rejected ?? `${file}.rejected.csv`;
    await download(`${api.url}${started.outcomes_url}?outcome=rejected&format=csv`, rejected, api.headers);
    console.log(`What was refused, with line and reason: ${rejected}`);
  }
  return last.state === 'completed' ? 0 : 1;
}

function parse(args: string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: { map: text, 'default-customer': text, url: text, key: text, rejected: text },
    });
  } catch (error) {
    throw new CliError((error as Error).message);
  }
}

function formatOf(file: string): string {
  const name = file.toLowerCase().replace(/\.gz$/, '');
  if (name.endsWith('.csv')) return 'text/csv';
  if (/\.(ndjson|jsonl)$/.test(name)) return 'application/x-ndjson';
  throw new CliError(`${file} is neither .csv nor .ndjson (nor one of them with .gz).`);
}

interface Started {
  stream_url: string;
  outcomes_url: string;
}

async function upload(
  url: string,
  file: string,
  type: string,
  headers: Record<string, string>,
): Promise<Started> {
  const source = createReadStream(file);
  const content = file.toLowerCase().endsWith('.gz') ? source.pipe(createGunzip()) : source;
  source.on('error', (error) => content.destroy(error));
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...headers, 'content-type': type },
    body: Readable.toWeb(content) as ReadableStream,
    duplex: 'half',
  }).catch((error: unknown) => {
    throw new CliError(
      `The file could not be sent: ${(error as Error & { cause?: Error }).cause?.message ?? String(error)}`,
    );
  });
  const answer = (await response.json()) as Started & { detail?: string };
  if (!response.ok) throw new CliError(`The file was refused: ${answer.detail ?? response.status}`);
  return answer;
}

async function download(url: string, file: string, headers: Record<string, string>): Promise<void> {
  const response = await fetch(url, { headers });
  if (!response.ok || !response.body)
    throw new CliError(`The refused rows could not be read: ${response.status}`);
  await pipeline(Readable.fromWeb(response.body as never), createWriteStream(file));
}

function summary(frame: SessionFrame): string {
  const counts = (['created', 'unchanged', 'conflicts', 'skipped', 'failed'] as const)
    .filter((name) => (frame[name] ?? 0) > 0)
    .map((name) => `${frame[name]} ${name}`);
  return `${frame.state}: ${counts.join(', ') || 'nothing to do'}${frame.error ? ` (${frame.error})` : ''}`;
}
