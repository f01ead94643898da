/** What the house rules need to know of a source file, read by TypeScript's own parser. */

import { posix } from 'node:path'
import ts from 'typescript'

export interface Import {
  /** Path from the root, with its ending, for a relative import; else the package as written. */
  readonly target: string
  readonly relative: boolean
  /** `import type`, `export type … from` and `import('…').X` load nothing at run time. */
  readonly typeOnly: boolean
  readonly line: number
}

export interface Use {
  /** As in `Date.now`, `new Date()`, `setTimeout`, `process.env`, `enum`. */
  readonly what: string
  readonly line: number
}

export interface SourceFile {
  /** From the root, with forward slashes. */
  readonly path: string
  readonly text: string
  readonly imports: readonly Import[]
  /** Files named in plain strings (`join(import.meta.dirname, 'child.ts')`), as if they stood beside this one. */
  readonly mentions: readonly string[]
  readonly uses: readonly Use[]
}

/** @param path from the root; relative imports are resolved against it */
export function readSourceFile(path: string, text: string): SourceFile {
  const parsed = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, false, ts.ScriptKind.TS)
  const imports: Import[] = []
  const mentions: string[] = []
  const uses: Use[] = []
  const lineOf = (node: ts.Node): number => parsed.getLineAndCharacterOfPosition(node.getStart(parsed)).line + 1

  function visit(node: ts.Node): void {
    const found = importOf(node)
    if (found !== null)
      imports.push({ ...resolved(path, found.specifier), typeOnly: found.typeOnly, line: lineOf(node) })
    if (ts.isStringLiteralLike(node) && node.text.endsWith('.ts'))
      mentions.push(resolved(path, `./${node.text}`).target)
    const what = useOf(node)
    if (what !== null) uses.push({ what, line: lineOf(node) })
    ts.forEachChild(node, visit)
  }
  visit(parsed)
  return { path, text, imports, mentions, uses }
}

function resolved(path: string, specifier: string): Pick<Import, 'target' | 'relative'> {
  const relative = specifier.startsWith('.')
  return { target: relative ? posix.join(posix.dirname(path), specifier) : specifier, relative }
}

type Found = { readonly specifier: string; readonly typeOnly: boolean } | null

function importOf(node: ts.Node): Found {
  if (ts.isImportDeclaration(node)) {
    return found(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword)
  }
  if (ts.isExportDeclaration(node)) return found(node.moduleSpecifier, node.isTypeOnly)
  if (ts.isImportTypeNode(node)) return ts.isLiteralTypeNode(node.argument) ? found(node.argument.literal, true) : null
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) return found(node.arguments[0])
  // A worker or child process is started from `new URL('./file.ts', import.meta.url)`.
  if (ts.isNewExpression(node) && nameOf(node.expression) === 'URL' && node.arguments?.length === 2) {
    return found(node.arguments[0])
  }
  return null
}

function found(specifier: ts.Node | undefined, typeOnly = false): Found {
  if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return null
  return { specifier: specifier.text, typeOnly }
}

const globals = new Set([
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'fetch',
  'randomUUID',
  'randomBytes',
  'randomInt',
])

function useOf(node: ts.Node): string | null {
  if (ts.isEnumDeclaration(node)) return 'enum'
  if (ts.isPropertyAccessExpression(node)) {
    const object = nameOf(node.expression)
    return object === null ? null : `${object}.${node.name.text}`
  }
  if (ts.isNewExpression(node) && nameOf(node.expression) === 'Date' && (node.arguments?.length ?? 0) === 0)
    return 'new Date()'
  if (ts.isCallExpression(node)) {
    const called = nameOf(node.expression)
    return called !== null && globals.has(called) ? called : null
  }
  return null
}

function nameOf(node: ts.Node): string | null {
  return ts.isIdentifier(node) ? node.text : null
}
