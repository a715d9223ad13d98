/** One instruction, continuation lines joined. */
export interface Instruction {
  readonly name: string;
  readonly args: string;
}

export interface Stage {
  readonly name: string;
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

/** As much of the Dockerfile language as ours uses: stages, comments, line continuations. */
export function parseDockerfile(text: string): Stage[] {
  const code = text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n');
  const stages: { name: string; base: string; instructions: Instruction[] }[] = [];
  for (const line of code.replace(/\\\n/g, ' ').split('\n')) {
    const [, name = '', args = ''] = /^\s*([A-Za-z]+)\s+(.*\S)\s*$/.exec(line) ?? [];
    if (name === '') continue;
    if (name.toUpperCase() === 'FROM') {
      const [base = '', , alias = ''] = args.split(/\s+/);
      stages.push({ name: alias, base, instructions: [] });
    } else {
      stages.at(-1)?.instructions.push({ name: name.toUpperCase(), args: args.replace(/\s+/g, ' ') });
    }
  }
  return stages;
}

export interface Copy {
  /** The stage or image copied from; undefined: the build context, which is the repository. */
  readonly from: string | undefined;
  readonly sources: readonly string[];
}

export function copies(stage: Stage): Copy[] {
  return all(stage, 'COPY').map((args) => {
    const words = args.split(' ');
    const from = words.find((w) => w.startsWith('--from='))?.slice('--from='.length);
    return { from, sources: words.filter((w) => !w.startsWith('--')).slice(0, -1) };
  });
}

/** Names and values that ENV sets in a stage. */
export function environment(stage: Stage): Record<string, string> {
  const pairs = all(stage, 'ENV').flatMap((args) => args.split(' '));
  return Object.fromEntries(pairs.map((pair) => [pair.split('=')[0] ?? '', pair.replace(/^[^=]*=/, '')]));
}

/** The words of the last CMD (or of a HEALTHCHECK's), which must be in the form that needs no shell. */
export function command(stage: Stage, name: 'CMD' | 'HEALTHCHECK' = 'CMD'): string[] {
  const args = all(stage, name).at(-1) ?? '';
  const json = args.slice(Math.max(args.indexOf('['), 0));
  return json.startsWith('[') ? (JSON.parse(json) as string[]) : [];
}

export function all(stage: Stage, name: string): string[] {
  return stage.instructions.filter((i) => i.name === name).map((i) => i.args);
}

/** The source of a built file that a command runs (`dist/apps/api/main.js` -> `apps/api/main.ts`). */
export function sourceOf(words: readonly string[]): string | undefined {
  const built = words.find((word) => /^dist\/.+\.js$/.test(word));
  return built?.replace(/^dist\//, '').replace(/\.js$/, '.ts');
}

/** Whether a .dockerignore keeps a path of the repository out of the build; the last matching line decides. */
export function isIgnored(ignore: string, path: string): boolean {
  let ignored = false;
  for (const line of ignore.split('\n')) {
    const pattern = line.trim();
    if (pattern === '' || pattern.startsWith('#')) continue;
    const negated = pattern.startsWith('!');
    const glob = pattern.replace(/^!?\/?/, '').replace(/\/$/, '');
    const body = glob
      .replace(/[.+^${}()|[\]]/g, '\\$&')
      .replace(/\*\*\//g, '\u0000')
      .replace(/\*/g, '[^/]*')
      .replace(/\u0000/g, '(?:.*/)?');
    if (new RegExp(`^${body}(?:/.*)?$`).test(path)) ignored = !negated;
  }
  return ignored;
}
