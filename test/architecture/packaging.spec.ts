import { existsSync } from 'node:fs';
import { parse } from 'yaml';
import {
  all,
  command,
  copies,
  environment,
  isIgnored,
  parseDockerfile,
  sourceOf,
  type Stage,
} from './dockerfile.js';
import { read } from './repository.js';

/** Set for Node and its packages, not for us. */
const NOT_OURS = new Set(['NODE_ENV']);
/** Read by docker-compose.yml only, to make DATABASE_URL. */
const COMPOSE_ONLY = ['POSTGRES_PASSWORD'];
/** Set by `npm start` for its own processes, never by a person. */
const INTERNAL = ['INSTEP_EMBEDDED'];
const REQUIRED = [
  ...['DATABASE_URL', 'REDIS_URL', 'ENCRYPTION_KEYS', 'JWT_SECRET'],
  ...['ADMIN_EMAIL', 'ADMIN_PASSWORD', 'PUBLIC_URL'],
];

interface Service {
  readonly image: string;
  readonly command?: string[];
  readonly user?: string;
  readonly environment?: Record<string, string>;
  readonly healthcheck?: { readonly test?: string[]; readonly disable?: boolean };
  readonly depends_on?: Record<string, { readonly condition: string }>;
  readonly volumes?: string[];
  readonly ports?: string[];
  readonly container_name?: string;
}

const stages = parseDockerfile(read('Dockerfile'));
const final = stages.at(-1) as Stage;
const composeText = read('docker-compose.yml');
const compose = parse(composeText, { merge: true }) as {
  services: Record<'postgres' | 'valkey' | 'migrate' | 'api' | 'worker', Service>;
  volumes: Record<string, unknown>;
};
const { postgres, valkey, migrate, api, worker } = compose.services;
const ours = { migrate, api, worker };

const exampleNames = [...read('.env.example').matchAll(/^(?:# )?([A-Z][A-Z0-9_]*)=/gm)].map(
  (m) => m[1] ?? '',
);
const configNames = namesOfClass(read('libs/platform/config/config.ts'));

/** Property names of EnvironmentVariables, read as text: its decorators stand before them on the same line. */
function namesOfClass(text: string): string[] {
  const body = /class EnvironmentVariables \{(.*?)\n\}/s.exec(text)?.[1] ?? '';
  return [...body.matchAll(/^(?:.*[\s)])?([A-Z][A-Z0-9_]+)[?!]?: \w+;/gm)].map((m) => m[1] ?? '');
}

describe('Dockerfile', () => {
  it('builds in several stages on the Node LTS that .nvmrc names', () => {
    expect(stages.length).toBeGreaterThanOrEqual(3);
    const major = read('.nvmrc').trim();
    expect(major).toBe('24');
    const named = new Set(stages.map((s) => s.name));
    for (const { base } of stages.filter((s) => !named.has(s.base))) {
      expect(base).toBe(`node:${major}-bookworm-slim`);
    }
  });

  it('copies only what is there', () => {
    stages.forEach((stage, position) => {
      const earlier = stages.slice(0, position).map((s) => s.name);
      for (const { from, sources } of copies(stage)) {
        expect(sources.length).toBeGreaterThan(0);
        if (from === undefined) {
          for (const source of sources) {
            expect([source, existsSync(source)]).toEqual([source, true]);
            expect([source, isIgnored(read('.dockerignore'), source)]).toEqual([source, false]);
          }
        } else {
          expect(earlier).toContain(from);
        }
      }
    });
  });

  it('takes everything that the build compiles into its context', () => {
    const { include } = JSON.parse(read('tsconfig.json')) as { include: string[] };
    const needed = [...include, 'tsconfig.json', 'nest-cli.json', 'package.json', 'package-lock.json'];
    expect(needed.filter((path) => isIgnored(read('.dockerignore'), path))).toEqual([]);
  });

  it('keeps secrets and local state out of its context', () => {
    const local = ['.env', '.env.production', '.data', '.data/secrets/key', '.git', 'node_modules', 'dist'];
    expect(local.filter((path) => !isIgnored(read('.dockerignore'), path))).toEqual([]);
  });

  it('installs from the lock file, and for production without development packages', () => {
    const runs = stages.map((stage) => all(stage, 'RUN').join('\n'));
    expect(runs.join('\n')).not.toMatch(/npm (install|i)\b/);
    const source = copies(final).find((c) => c.sources.some((s) => s.endsWith('/node_modules')))?.from;
    const install = runs[stages.findIndex((s) => s.name === source)];
    expect(install).toMatch(/npm ci --omit=dev/);
  });

  it('runs the api as an ordinary user, with node itself as process 1', () => {
    expect(all(final, 'USER').at(-1)).toBe('node');
    expect(command(final)[0]).toBe('node');
    expect(sourceOf(command(final))).toBe('apps/api/main.ts');
    expect(existsSync('apps/api/main.ts')).toBe(true);
    expect(all(final, 'ENTRYPOINT')).toEqual([]);
  });

  it('is configured for a container', () => {
    expect(environment(final)).toMatchObject({ NODE_ENV: 'production', HOST: '0.0.0.0', PORT: '3001' });
    expect(all(final, 'EXPOSE')).toEqual(['3001']);
    const names = stages.flatMap((stage) => Object.keys(environment(stage))).filter((n) => !NOT_OURS.has(n));
    expect(names.filter((name) => !configNames.includes(name) || !exampleNames.includes(name))).toEqual([]);
  });

  it('asks the readiness route for its health', () => {
    const check = command(final, 'HEALTHCHECK');
    expect(check.slice(0, 2)).toEqual(['node', '-e']);
    expect(check[2]).toContain('/health/ready');
  });
});

describe('docker-compose.yml', () => {
  it.each(Object.entries(ours))('gives %s every required variable', (_name, service) => {
    const set = service.environment ?? {};
    expect(REQUIRED.filter((name) => !set[name])).toEqual([]);
    expect(set.HOST).toBe('0.0.0.0');
  });

  it('names no variable that the config class or .env.example does not know', () => {
    const set = Object.values(ours).flatMap((service) => Object.keys(service.environment ?? {}));
    expect([...new Set(set)].filter((name) => !configNames.includes(name))).toEqual([]);
    expect([...new Set(set)].filter((name) => !exampleNames.includes(name))).toEqual([]);
    const read = [...composeText.matchAll(/\$\{([A-Z0-9_]+)/g)].map((m) => m[1] ?? '');
    expect(read.length).toBeGreaterThan(0);
    expect([...new Set(read)].filter((name) => !exampleNames.includes(name))).toEqual([]);
  });

  it('passes on every variable that means something past one machine', () => {
    const embeddedOnly = ['DATA_DIR', 'SANDBOX', 'INSTEP_ROLE', 'PORT', ...INTERNAL];
    const set = Object.keys(worker.environment ?? {});
    expect(configNames.filter((name) => !set.includes(name) && !embeddedOnly.includes(name))).toEqual([]);
  });

  it('has no secret in it: they are asked for, with a message', () => {
    const secrets = ['ENCRYPTION_KEYS', 'JWT_SECRET', 'ADMIN_EMAIL', 'ADMIN_PASSWORD'];
    for (const name of secrets)
      expect(api.environment?.[name]).toMatch(new RegExp(`^\\$\\{${name}:\\?[^}]+\\}$`));
    expect(api.environment?.DATABASE_URL).toMatch(/:\$\{POSTGRES_PASSWORD:\?[^}]+\}@postgres:5432\//);
    expect(postgres.environment?.POSTGRES_PASSWORD).toMatch(/^\$\{POSTGRES_PASSWORD:\?[^}]+\}$/);
  });

  it.each(Object.entries(ours))('runs a file of ours as %s', (name, service) => {
    const file = sourceOf(service.command ?? []) ?? 'none';
    expect(file).toBe(`apps/${name === 'migrate' ? 'cli' : name}/main.ts`);
    expect([file, existsSync(file)]).toEqual([file, true]);
    expect(service.user ?? 'node').toBe('node');
  });

  it('starts api and worker on healthy servers and a migrated database', () => {
    for (const { depends_on } of [api, worker]) {
      expect(depends_on).toEqual({
        postgres: { condition: 'service_healthy' },
        valkey: { condition: 'service_healthy' },
        migrate: { condition: 'service_completed_successfully' },
      });
    }
    expect(postgres.healthcheck?.test).toContain('pg_isready');
    expect(valkey.healthcheck?.test).toContain('valkey-cli');
    expect(api.healthcheck).toBeUndefined(); // the image's own, on /health/ready
    expect(worker.healthcheck).toEqual({ disable: true });
  });

  it('keeps data, and never evicts a job', () => {
    expect(postgres.image).toBe('postgres:18');
    expect(postgres.volumes).toEqual(['postgres-data:/var/lib/postgresql']);
    expect(valkey.image).toBe('valkey/valkey:8');
    expect(valkey.command?.join(' ')).toContain('--appendonly yes --maxmemory-policy noeviction');
    expect(Object.keys(compose.volumes).sort()).toEqual(['postgres-data', 'valkey-data']);
  });

  it('can run several of api and worker', () => {
    expect([api.container_name, worker.container_name]).toEqual([undefined, undefined]);
    expect(api.ports).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+-\d+:3001$/)]);
    expect(worker.ports).toBeUndefined();
  });
});

describe('.env.example', () => {
  it('lists exactly what the config class reads', () => {
    const documented = exampleNames.filter((name) => !COMPOSE_ONLY.includes(name));
    expect(configNames.length).toBeGreaterThan(30);
    expect([...documented].sort()).toEqual(configNames.filter((name) => !INTERNAL.includes(name)).sort());
    expect(new Set(exampleNames).size).toBe(exampleNames.length);
  });

  it('explains each one, and sets none', () => {
    const lines = read('.env.example').split('\n');
    for (const name of exampleNames) {
      const at = lines.findIndex((line) => line.startsWith(`# ${name}=`));
      expect([name, lines[at - 1]]).toEqual([name, expect.stringMatching(/^# .*[a-z].*\.$|^# .*: .+$/)]);
    }
    expect(lines.filter((line) => line !== '' && !line.startsWith('#'))).toEqual([]);
  });
});

describe('the parsers of this test', () => {
  const [build, run] = parseDockerfile(
    '# c\nFROM node:20 AS build\nCOPY a b \\\n  c ./\nFROM build\nENV A=1 \\\n  B=x=y\nUSER root\n' +
      'COPY --chown=node --from=build /app/dist ./dist\nCMD node main.js\n',
  ) as [Stage, Stage];

  it('see bad input as it is', () => {
    expect(copies(build)).toEqual([{ from: undefined, sources: ['a', 'b', 'c'] }]);
    expect(copies(run)).toEqual([{ from: 'build', sources: ['/app/dist'] }]);
    expect(environment(run)).toEqual({ A: '1', B: 'x=y' });
    expect([run.base, all(run, 'USER'), command(run)]).toEqual(['build', ['root'], []]);
    expect(sourceOf(['node', 'main.js'])).toBeUndefined();
  });

  it('know what .dockerignore keeps out', () => {
    const ignore = '# c\n**/node_modules\n*.log\n.env.*\n!.env.example\ntest/.tmp\n';
    const kept = (path: string) => !isIgnored(ignore, path);
    expect(['a/node_modules/b', 'node_modules', 'x.log', '.env.local', 'test/.tmp/a'].filter(kept)).toEqual(
      [],
    );
    expect(
      ['a.ts', 'a/x.log', '.env.example', 'test/a', 'apps/node_modules_not'].filter((p) => !kept(p)),
    ).toEqual([]);
  });

  it('find the variables of the config class, whatever stands before them', () => {
    const text = `class EnvironmentVariables {\n  @IsOptional() A_B?: string;\n  @X({ a: (e) => e.C_D })\n  E_F: number;\n}\n`;
    expect(namesOfClass(text)).toEqual(['A_B', 'E_F']);
  });
});
