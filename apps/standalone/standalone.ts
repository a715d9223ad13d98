import { realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { migrate } from '#migrations/migrate.js';
import { Config } from '#platform/config/config.js';
import { readyBanner } from './banner.js';
import { type DataDirLock, lockDataDir } from './data-dir-lock.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.js';
import { beginFirstRun, runFirstRun } from './first-run.js';
import { chooseAddress, type ListenAddress } from './listen-address.js';
import { loadSecrets, markAdminShown, prepareDataDir, type Secrets } from './secrets.js';
import { StartError } from './start-error.js';
import { Supervisor } from './supervisor.js';

const READY_TIMEOUT_MS = 90_000;
/** So many ends before the first answer mean that it will not come up. */
const HOPELESS_AFTER = 3;
/** Ctrl-C is done within 10 s: the children's share, and what the database has before it is cut short. */
const CHILDREN_GRACE_MS = 6_500;
const DATABASE_GRACE_MS = 2_000;

type Role = 'all' | 'api' | 'worker';

/** Everything that `npm start` starts, from the database up, and its orderly end. */
export class Standalone {
  private readonly abort = new AbortController();
  private readonly startedAt = Date.now();
  private lock: DataDirLock | undefined;
  private postgres: EmbeddedPostgres | undefined;
  private supervisor: Supervisor | undefined;
  private hopeless: string | undefined;

  /** @param env the environment with `.env` beneath it */
  constructor(
    private readonly env: NodeJS.ProcessEnv,
    private readonly output: NodeJS.WriteStream,
  ) {}

  /** Resolves when everything is up (or the stop came first). @throws StartError with a sentence for the operator */
  async start(): Promise<void> {
    if (this.env.DATABASE_URL) await this.startOnGivenDatabase(this.env.DATABASE_URL);
    else await this.startEmbedded();
  }

  /** Drains and ends the children, then the database; within 10 s. */
  async stop(): Promise<void> {
    this.abort.abort();
    this.lock?.announceStop();
    await this.supervisor?.stop(CHILDREN_GRACE_MS);
    await this.postgres?.stop('fast', DATABASE_GRACE_MS);
    this.lock?.release();
  }

  /** Ends everything now. Nothing is lost: the database recovers, the work goes on at the next start. */
  async kill(): Promise<void> {
    this.abort.abort();
    this.supervisor?.kill();
    await this.postgres?.stop('immediate');
    this.lock?.release();
  }

  private get stopping(): boolean {
    return this.abort.signal.aborted;
  }

  /** Any PostgreSQL: no database, secrets or data folder of ours, and the logs go where the operator collects them. */
  private async startOnGivenDatabase(databaseUrl: string): Promise<void> {
    Config.from(this.env);
    const address = await this.address(0);
    this.say('Bringing the database up to date...');
    await this.migrate(databaseUrl);
    const env = {
      ...this.env,
      HOST: address.host,
      PORT: String(address.port),
      PUBLIC_URL: address.publicUrl,
    };
    this.startChildren(env, undefined);
    await this.ready(address);
    if (!this.stopping)
      this.say(this.runs('api') ? `Instep is ready at ${address.publicUrl}.` : 'The worker is started.');
  }

  private async startEmbedded(): Promise<void> {
    const given = resolve(this.env.DATA_DIR || '.data');
    prepareDataDir(given);
    const dataDir = realpathSync(given);
    this.lock = await lockDataDir(dataDir, () =>
      this.say('The instance before is still stopping; waiting for it...'),
    );
    const secrets = loadSecrets(dataDir, this.env);
    const { adminFile: _file, showPassword: _show, ...generated } = secrets;
    const base = { ...this.env, ...generated, DATA_DIR: dataDir, INSTEP_EMBEDDED: '1' };
    // Before anything is started: every problem with the variables at once.
    Config.from({ ...base, DATABASE_URL: 'postgres://127.0.0.1/instep' });
    const address = await this.address(this.lock.tookOver ? 5_000 : 0);
    this.say('Starting the database...');
    const postgres = await this.startPostgres(dataDir);
    if (this.stopping) return;
    await this.migrate(postgres.url);
    const firstRun = this.role === 'all' && (await beginFirstRun(postgres.url));
    if (this.stopping) return;
    this.say(this.role === 'all' ? 'Starting the API and the worker...' : `Starting the ${this.role}...`);
    const logDir = join(dataDir, 'logs');
    this.startChildren(
      {
        ...base,
        DATABASE_URL: postgres.url,
        HOST: address.host,
        PORT: String(address.port),
        PUBLIC_URL: address.publicUrl,
      },
      logDir,
    );
    await this.ready(address);
    if (this.stopping) return;
    this.lock.announce(address.localUrl);
    if (firstRun) await this.importSamples(postgres, secrets, address);
    if (this.stopping) return;
    if (!this.runs('api')) return this.say('The worker is started. Ctrl-C stops it.');
    const database = `127.0.0.1:${postgres.port}/instep (user instep, password in ${join(dataDir, 'secrets', 'postgres.json')})`;
    const seconds = (Date.now() - this.startedAt) / 1000;
    this.say(readyBanner({ address, dataDir, logDir, database, secrets, seconds }));
    if (secrets.showPassword) markAdminShown(dataDir);
  }

  /** Starts the database, and from then on starts it again on the same port should it die under us. */
  private async startPostgres(dataDir: string, port?: number): Promise<EmbeddedPostgres> {
    const log = (line: string): void => this.say(line);
    const postgres = await startEmbeddedPostgres({ dataDir, log, port, path: this.env.PATH });
    this.postgres = postgres;
    void postgres.gone.then(async () => {
      for (
        let delay = 200;
        !this.stopping && this.postgres === postgres;
        delay = Math.min(delay * 2, 10_000)
      ) {
        this.say('The database ended unexpectedly and is started again.');
        try {
          await this.startPostgres(dataDir, postgres.port);
        } catch (error) {
          this.say((error as Error).message);
          await sleep(delay);
        }
      }
    });
    return postgres;
  }

  private async migrate(databaseUrl: string): Promise<void> {
    try {
      await migrate(databaseUrl);
    } catch (error) {
      throw new StartError(
        `The database could not be brought up to date: ${(error as Error).message}`,
        'Nothing was half done: each step is a transaction. See docs/TROUBLESHOOTING.md.',
      );
    }
  }

  private startChildren(env: NodeJS.ProcessEnv, logDir: string | undefined): void {
    this.supervisor = new Supervisor({
      logDir,
      say: (line) => this.say(line),
      onUnexpectedEnd: (name, endings) => {
        if (endings >= HOPELESS_AFTER) this.hopeless ??= name;
      },
    });
    for (const name of ['api', 'worker'] as const) {
      if (!this.runs(name)) continue;
      this.supervisor.start({
        name,
        env,
        script: fileURLToPath(new URL(`../${name}/main.js`, import.meta.url)),
      });
    }
  }

  /** Waits for the API's answer. Without an API there is nobody to ask: a worker that fails says so itself. */
  private async ready(address: ListenAddress): Promise<void> {
    const deadline = Date.now() + READY_TIMEOUT_MS;
    while (this.runs('api') && !this.stopping && !(await isLive(address.localUrl))) {
      if (this.hopeless)
        throw new StartError(
          `The ${this.hopeless} does not start; what it said is above.`,
          this.whereLogsAre(),
        );
      if (Date.now() > deadline)
        throw new StartError(
          `The API did not answer within ${READY_TIMEOUT_MS / 1000} s.`,
          this.whereLogsAre(),
        );
      await sleep(100);
    }
  }

  private async importSamples(
    postgres: EmbeddedPostgres,
    secrets: Secrets,
    address: ListenAddress,
  ): Promise<void> {
    await runFirstRun({
      url: address.localUrl,
      databaseUrl: postgres.url,
      email: secrets.ADMIN_EMAIL,
      password: secrets.ADMIN_PASSWORD,
      say: (line) => this.say(line),
      output: this.output,
      signal: this.abort.signal,
    });
  }

  private async address(patienceMs: number): Promise<ListenAddress> {
    // A worker listens nowhere, so a taken port is no business of its.
    const env = this.runs('api') ? this.env : { ...this.env, PORT: undefined };
    return chooseAddress(env, patienceMs, (line) => this.runs('api') && this.say(line));
  }

  private whereLogsAre(): string {
    return this.env.DATABASE_URL
      ? ''
      : `Its log is in ${join(resolve(this.env.DATA_DIR || '.data'), 'logs')}.`;
  }

  private get role(): Role {
    const role = this.env.INSTEP_ROLE;
    return role === 'api' || role === 'worker' ? role : 'all';
  }

  private runs(name: 'api' | 'worker'): boolean {
    return this.role === 'all' || this.role === name;
  }

  private say(line: string): void {
    this.output.write(`${line}\n`);
  }
}

async function isLive(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/health/live`, { signal: AbortSignal.timeout(2_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
