import ts from 'typescript';
import { type Finding, type SourceFile } from './repository.js';

const MAX_LINES = 300;
const DRAWERS = new Set(['common', 'shared', 'util', 'utils', 'helper', 'helpers', 'misc', 'lib']);
const SEGMENT = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const FILE_NAME = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)+$/;
const ERROR_CODE = /^[a-z][a-z0-9]*(_[a-z0-9]+)*\.[a-z][a-z0-9]*(_[a-z0-9]+)*$/;
// Written so that these lines do not match themselves.
const SWITCHED_OFF = /@ts-(?:ignore|expect-error|nocheck)|eslint-(?:disable)|istanbul (?:ignore)/;

/** A file that only passes others' exports on. contract.ts is exempt: being a module's door is its work. */
export function barrels(file: SourceFile): Finding[] {
  const statements = parse(file).statements;
  if (statements.length === 0 || file.path.endsWith('/contract.ts')) return [];
  const passesOn = statements.every(
    (s) => ts.isImportDeclaration(s) || (ts.isExportDeclaration(s) && s.moduleSpecifier !== undefined),
  );
  const reexports = statements.some((s) => ts.isExportDeclaration(s));
  return passesOn && reexports ? [`${file.path} is a barrel: import from the files themselves`] : [];
}

/** Folders named for what is in them and not for being useful. */
export function drawers(path: string): Finding[] {
  const found = path.split('/').filter((segment) => DRAWERS.has(segment.replace(/\.[^.]+$/, '')));
  return found.map((name) => `${path}: "${name}" says nothing; name it for what it does`);
}

/** Specs may be longer: a table of cases is not made clearer by being torn apart. */
export function tooLong(file: SourceFile): Finding[] {
  if (/spec\.ts$/.test(file.path)) return [];
  const lines = file.text.replace(/\n$/, '').split('\n').length;
  return lines > MAX_LINES ? [`${file.path} has ${lines} lines; split it (at most ${MAX_LINES})`] : [];
}

export function notKebabCase(path: string): Finding[] {
  const segments = path.split('/');
  const name = segments.pop() ?? '';
  const good = FILE_NAME.test(name) && segments.every((segment) => SEGMENT.test(segment));
  return good ? [] : [`${path} is not kebab-case`];
}

/** Comments that switch a check off. */
export function switchedOffChecks(file: SourceFile): Finding[] {
  return file.text.split('\n').flatMap((line, index) => {
    const found = SWITCHED_OFF.exec(line);
    return found ? [`${file.path}:${index + 1} switches a check off (${found[0]})`] : [];
  });
}

/** The type `any`, wherever it is written. */
export function anyTypes(file: SourceFile): Finding[] {
  return everyNode(file, (node) =>
    node.kind === ts.SyntaxKind.AnyKeyword ? 'uses the type any' : undefined,
  );
}

/** Reads of the process environment, however they are spelled. */
export function environmentReads(file: SourceFile): Finding[] {
  return everyNode(file, (node, source) => {
    const text = 'reads the process environment: inject Config';
    if (ts.isPropertyAccessExpression(node) && node.name.text === 'env' && isProcess(node.expression))
      return text;
    if (ts.isElementAccessExpression(node) && isProcess(node.expression)) {
      return /^['"`]env['"`]$/.test(node.argumentExpression.getText(source)) ? text : undefined;
    }
    if (
      ts.isVariableDeclaration(node) &&
      ts.isObjectBindingPattern(node.name) &&
      isProcess(node.initializer)
    ) {
      return node.name.elements.some((e) => (e.propertyName ?? e.name).getText(source) === 'env')
        ? text
        : undefined;
    }
    if (!ts.isImportDeclaration(node) || !ts.isStringLiteral(node.moduleSpecifier)) return undefined;
    const bindings = node.importClause?.namedBindings;
    const fromProcess = /^(node:)?process$/.test(node.moduleSpecifier.text);
    const namesEnv = bindings && ts.isNamedImports(bindings) && /\benv\b/.test(bindings.getText(source));
    return fromProcess && namesEnv ? text : undefined;
  });
}

/** Error codes are stable names that clients act on: `module.what_happened`. */
export function badErrorCodes(file: SourceFile): Finding[] {
  return everyNode(file, (node) => {
    const bad = errorCodesOf(node).find((code) => !ERROR_CODE.test(code));
    return bad === undefined ? undefined : `has the error code "${bad}"; codes are module.what_happened`;
  });
}

/** Versions that could be another tomorrow. */
export function loosePins(manifest: Record<string, unknown>): Finding[] {
  const groups = ['dependencies', 'devDependencies', 'optionalDependencies', 'overrides'];
  return groups.flatMap((group) =>
    Object.entries((manifest[group] ?? {}) as Record<string, string>)
      .filter(([, version]) => !/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(version))
      .map(([name, version]) => `${group}: ${name} is "${version}"; pin one exact version`),
  );
}

/** Where the code stands among the arguments of our own error functions; elsewhere it follows the status. */
const CODE_POSITION: Record<string, number> = { invalid: 1, notFound: 1, conflict: 0 };

function errorCodesOf(node: ts.Node): string[] {
  if (!ts.isCallExpression(node) && !ts.isNewExpression(node)) return [];
  const args = [...(node.arguments ?? [])];
  const byName = ts.isIdentifier(node.expression) ? CODE_POSITION[node.expression.text] : undefined;
  const isError =
    /Error$/.test(node.expression.getText()) || node.expression.kind === ts.SyntaxKind.SuperKeyword;
  const status = isError ? args.findIndex((a) => ts.isNumericLiteral(a) && /^[45]\d\d$/.test(a.text)) : -1;
  const argument = args[byName ?? (status >= 0 ? status + 1 : -1)];
  return argument && ts.isStringLiteralLike(argument) ? [argument.text] : [];
}

function isProcess(node: ts.Node | undefined): boolean {
  return node !== undefined && /^(globalThis\.)?process$/.test(node.getText());
}

function parse(file: SourceFile): ts.SourceFile {
  const known = parsed.get(file.text);
  if (known) return known;
  const source = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true);
  parsed.set(file.text, source);
  return source;
}

/** Every rule reads every file: parsed once. */
const parsed = new Map<string, ts.SourceFile>();

function everyNode(file: SourceFile, judge: (n: ts.Node, s: ts.SourceFile) => string | undefined): Finding[] {
  const source = parse(file);
  const findings: Finding[] = [];
  const visit = (node: ts.Node): void => {
    const verdict = judge(node, source);
    if (verdict !== undefined) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
      findings.push(`${file.path}:${line + 1} ${verdict}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return findings;
}
