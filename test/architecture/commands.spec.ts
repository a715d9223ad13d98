import { type SourceFile, sources } from './repository.js';

/** What is wrong with the commands and queries of these sources; empty when each has exactly one provided handler. */
function unhandled(tree: readonly SourceFile[]): string[] {
  const all = tree.map(({ text }) => text).join('\n');
  const modules = tree.filter(({ path }) => path.endsWith('.module.ts')).map(({ text }) => text);
  const dispatched = [...all.matchAll(/(?:new |execute<)(\w+(?:Command|Query))\b/g)].map(
    (match) => match[1] ?? '',
  );
  const bodies = [...all.matchAll(/@(?:Body|Query)\(\) \w+: (\w+(?:Command|Query))\b/g)].map(
    (match) => match[1] ?? '',
  );
  return [...new Set([...dispatched, ...bodies])].sort().flatMap((name) => {
    const handlers = [
      ...all.matchAll(new RegExp(`@(?:Command|Query)Handler\\(${name}\\)\\s*export class (\\w+)`, 'g')),
    ].map((match) => match[1] ?? '');
    if (handlers.length !== 1) return [`${name} has ${handlers.length} handlers, not one`];
    const provided = modules.some((text) => new RegExp(`\\b${handlers[0]}\\b`).test(withoutImports(text)));
    return provided ? [] : [`${handlers[0]} is not a provider of any module`];
  });
}

const withoutImports = (text: string) => text.replace(/^import [\s\S]*?;$/gm, '');

const moduleSources = (): SourceFile[] =>
  sources().filter(({ path }) => path.startsWith('libs/modules/') && !path.endsWith('spec.ts'));

describe('commands and queries', () => {
  it('have exactly one handler each, provided by a module', () => {
    expect(unhandled(moduleSources())).toEqual([]);
  });

  const controller = {
    path: 'x.controller.ts',
    text: 'x(@Body() body: ShipOrderCommand) { return this.bus.execute(body); }',
  };
  const handler = (name: string) => ({
    path: `${name}.ts`,
    text: `@CommandHandler(ShipOrderCommand)\nexport class ${name} {}`,
  });
  const module = (providers: string) => ({
    path: 'x.module.ts',
    text: `@Module({ providers: [${providers} ] })`,
  });

  it.each<[string, SourceFile[], string]>([
    ['without a handler', [controller, module('')], 'ShipOrderCommand has 0 handlers, not one'],
    [
      'with two',
      [controller, handler('A'), handler('B'), module('A, B')],
      'ShipOrderCommand has 2 handlers, not one',
    ],
    [
      'whose handler nobody provides',
      [controller, handler('A'), module('')],
      'A is not a provider of any module',
    ],
  ])('one %s is seen', (_case, files, problem) => {
    expect(unhandled(files)).toEqual([problem]);
  });

  it('one that is right passes', () => {
    expect(unhandled([controller, handler('A'), module('A,')])).toEqual([]);
  });
});
