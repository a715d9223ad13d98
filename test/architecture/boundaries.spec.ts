import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { allowed, background, violations } from './boundary-violations.js';
import { cruise, type CruiseResult, FixtureTree } from './cruise.js';
import { repository } from './repository.js';

const FOLDERS = ['apps', 'libs', 'migrations', 'test', 'bench'];

describe('who may import whom', () => {
  describe('in this repository', () => {
    let result: CruiseResult;

    beforeAll(async () => {
      result = await cruise(
        repository,
        FOLDERS.filter((folder) => existsSync(folder)),
      );
    });

    it('is kept everywhere', () => {
      const found = result.summary.violations.map((v) => `${v.rule.name}: ${v.from} -> ${v.to}`);
      expect(found).toEqual([]);
    });

    it('is judged on sources: every #import leads to a TypeScript file', () => {
      const mapped = result.modules.flatMap((m) => m.dependencies).filter((d) => d.module.startsWith('#'));
      expect(mapped.length).toBeGreaterThan(0);
      for (const dependency of mapped) expect(dependency.resolved).toMatch(/^(libs|migrations)\/.+\.ts$/);
    });
  });

  describe('in a tree that breaks it', () => {
    let root: string;
    let result: CruiseResult;

    beforeAll(async () => {
      root = await mkdtemp(join(tmpdir(), 'instep-boundaries-'));
      const tree = new FixtureTree();
      for (const { from, imports, typeOnly } of violations) tree.add(from, imports, typeOnly);
      for (const [from, imports] of [...allowed, ...background]) tree.add(from, imports);
      await tree.write(root);
      result = await cruise(root, FOLDERS);
    });

    afterAll(() => rm(root, { recursive: true, force: true }));

    it.each(violations)('$rule refuses $from -> $imports', ({ rule, from, imports, to }) => {
      const found = result.summary.violations.map((v) => ({ rule: v.rule.name, from: v.from, to: v.to }));
      expect(found).toContainEqual({ rule, from, to: to ?? imports });
    });

    it.each(allowed)('%s -> %s is allowed', (from, imports) => {
      const target = imports.startsWith('npm:') ? `node_modules/${imports.slice(4)}/` : imports;
      const seen = result.modules.find((m) => m.source === from)?.dependencies ?? [];
      expect(seen.map((d) => d.resolved)).toContainEqual(expect.stringContaining(target));
      const refused = result.summary.violations.filter((v) => v.from === from && v.to.startsWith(target));
      expect(refused).toEqual([]);
    });

    it('has every rule broken at least once, and every rule says why it is there', () => {
      const rules = result.summary.ruleSetUsed.forbidden;
      const broken = new Set(violations.map((v) => v.rule));
      expect(rules.map((r) => r.name).filter((name) => !broken.has(name))).toEqual([]);
      expect(rules.filter((r) => !r.comment)).toEqual([]);
    });
  });
});
