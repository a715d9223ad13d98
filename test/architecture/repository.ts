import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The root of this repository; Jest always runs there. */
export const repository = process.cwd();

/** A file of the repository: its path from the root, with `/`, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Something that breaks a rule of the house, as a line a person can act on. */
export type Finding = string;

export function read(path: string): string {
  return readFileSync(join(repository, path), 'utf8');
}

/** Every file below the given folders whose name matches, dependencies and built files left out. */
export function filesBelow(folders: readonly string[], name: RegExp): string[] {
  return folders.flatMap((folder) => {
    let entries;
    try {
      entries = readdirSync(join(repository, folder), { withFileTypes: true });
    } catch {
      return [];
    }
    return entries.flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : filesBelow([path], name);
      return name.test(entry.name) ? [path] : [];
    });
  });
}

const SKIPPED = new Set(['node_modules', 'dist', '.data', '.tmp', 'coverage']);

/** All TypeScript that people write here. */
export function sources(): SourceFile[] {
  const paths = filesBelow(['apps', 'libs', 'migrations', 'test', 'bench'], /\.ts$/);
  return paths.map((path) => ({ path, text: read(path) }));
}
