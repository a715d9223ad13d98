import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { repository } from './repository.js';

export interface FoundViolation {
  readonly from: string;
  readonly to: string;
  readonly rule: { readonly name: string };
}

export interface CruiseResult {
  readonly modules: {
    readonly source: string;
    readonly dependencies: { readonly module: string; readonly resolved: string }[];
  }[];
  readonly summary: {
    readonly violations: FoundViolation[];
    readonly ruleSetUsed: { readonly forbidden: { readonly name: string; readonly comment?: string }[] };
  };
}

/** Runs dependency-cruiser with the house's own rules over folders of any tree that is laid out like it. */
export async function cruise(root: string, folders: readonly string[]): Promise<CruiseResult> {
  const args = [
    join(repository, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs'),
    ...['--config', join(repository, '.dependency-cruiser.mjs'), '--output-type', 'json'],
    ...folders,
  ];
  // Its exit code is the number of violations, which the JSON says better: only a missing answer is an error.
  const output = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, args, { cwd: root, maxBuffer: 256 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (stdout.startsWith('{')) resolve(stdout);
      else reject(new Error(`dependency-cruiser gave no answer: ${stderr || (error?.message ?? stdout)}`));
    });
  });
  return JSON.parse(output) as CruiseResult;
}

/** Writes a tree of importing files, with this repository's own tsconfig and imports map. */
export class FixtureTree {
  private readonly lines = new Map<string, string[]>();
  private readonly packages = new Set<string>();

  /** @param imports a path in the tree, or what to import literally after `npm:` */
  add(from: string, imports: string, typeOnly = false): void {
    const specifier = imports.startsWith('npm:') ? imports.slice(4) : this.specifier(from, imports);
    if (imports.startsWith('npm:') && !specifier.startsWith('#')) this.packages.add(specifier);
    const own = this.linesOf(from);
    own.push(`import ${typeOnly ? 'type ' : ''}* as i${own.length} from '${specifier}';`);
    own.push(`export { ${typeOnly ? 'type ' : ''}i${own.length - 1} };`);
  }

  async write(root: string): Promise<void> {
    for (const [path, lines] of this.lines) await save(join(root, path), `${lines.join('\n')}\n`);
    for (const name of this.packages) {
      await save(
        join(root, 'node_modules', name, 'package.json'),
        JSON.stringify({ name, main: 'index.js' }),
      );
      await save(join(root, 'node_modules', name, 'index.js'), 'export default 1;\n');
    }
    await save(join(root, 'tsconfig.json'), await readFile(join(repository, 'tsconfig.json'), 'utf8'));
    await save(join(root, 'package.json'), await readFile(join(repository, 'package.json'), 'utf8'));
  }

  private linesOf(path: string): string[] {
    const lines = this.lines.get(path) ?? ['export const here = 1;'];
    this.lines.set(path, lines);
    return lines;
  }

  /** The same mixture as in real code: the imports map across the house, relative paths otherwise. */
  private specifier(from: string, target: string): string {
    this.linesOf(target);
    const built = target.replace(/\.ts$/, '.js');
    const mapped = /^(?:libs\/(platform|modules|testing)|(migrations))\/(.+)$/.exec(built);
    if (mapped) return `#${mapped[1] ?? mapped[2] ?? ''}/${mapped[3] ?? ''}`;
    const relative = posix.relative(posix.dirname(from), built);
    return relative.startsWith('.') ? relative : `./${relative}`;
  }
}

async function save(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}
