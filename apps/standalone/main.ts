import { ConfigError } from '#platform/config/config.js';
import { readEnvironment } from '#platform/config/environment.js';
import { isAlive } from './process-identity.js';
import { Standalone } from './standalone.js';
import { StartError } from './start-error.js';

const PARENT_CHECK_MS = 200;

/** `npm start`: the whole of Instep from one command. */
async function main(): Promise<void> {
  // A terminal that was closed takes no more lines; what runs must still be stopped in order.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const env = readEnvironment();
  const standalone = new Standalone(env, process.stdout);
  let asked = 0;
  let starting: Promise<void> = Promise.resolve();

  const stop = async (code: number): Promise<void> => {
    // What is being started first has to be there before it can be stopped.
    const stopped = standalone.stop();
    await starting.catch(() => undefined);
    await stopped;
    await standalone.stop();
    process.exit(code);
  };
  const onSignal = (): void => {
    asked++;
    if (asked === 1) {
      process.stdout.write('\nStopping (again to force)...\n');
      stop(0).catch(fail);
    } else if (asked === 2) {
      process.stdout.write('Ending everything now.\n');
      standalone.kill().then(() => process.exit(1), fail);
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  if (env.npm_lifecycle_event) onParentGone(() => asked === 0 && onSignal());

  starting = standalone.start();
  try {
    await starting;
  } catch (error) {
    if (asked > 0) return;
    explain(error);
    await standalone.stop();
    process.exit(1);
  }
}

/**
 * npm hands SIGTERM to the shell between it and us, which dies of it and tells nobody: without this, stopping
 * `npm start` from outside would leave everything running unseen.
 */
function onParentGone(react: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent && (process.platform !== 'win32' || isAlive(parent))) return;
    clearInterval(timer);
    react();
  }, PARENT_CHECK_MS);
  timer.unref();
}

/** One clear sentence for what an operator can put right; the stack only for what he cannot. */
function explain(error: unknown): void {
  const known = error instanceof StartError || error instanceof ConfigError;
  const text = known
    ? error.message
    : error instanceof Error
      ? (error.stack ?? error.message)
      : String(error);
  process.stderr.write(`\n${text}\n`);
}

function fail(error: unknown): void {
  explain(error);
  process.exit(1);
}

main().catch(fail);
