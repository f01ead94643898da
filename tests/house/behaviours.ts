/**
 * Numbered behaviours: what `processors/BEHAVIOURS.md` says of them, and which tests carry a number in their title, as in
 * `(5.2.4)` or `(5.2.3, 5.2.4)`.
 */

import ts from 'typescript'

export interface Row {
  /** As in `5.2.4`. */
  readonly number: string
  readonly clause: string
  /** From the root. */
  readonly path: string
  readonly title: string
}

export interface Titled {
  readonly path: string
  readonly title: string
}

/** Rows of the tables: `| number | clause | \`path\` title |`. @throws Error for a row of another form */
export function rowsOf(markdown: string): Row[] {
  return markdown.split('\n').flatMap((line) => {
    if (!/^\| *\d/.test(line)) return []
    const found = /^\| (\d+\.\d+\.\d+) \| ([^|]+) \| `([^`|]+)` ([^|]+) \|$/.exec(line)
    if (found === null)
      throw new Error(`processors/BEHAVIOURS.md: expected | number | clause | \`path\` title |: ${line}`)
    const [, number = '', clause = '', path = '', title = ''] = found
    return [{ number, clause, path, title }]
  })
}

/** Numbers that a title carries at its end. */
export const numbersIn = (title: string): string[] =>
  /\((?:[A-Z]+\d+, )*(\d+\.\d+\.\d+(?:, \d+\.\d+\.\d+)*)[^)]*\)$/.exec(title)?.[1]?.split(', ') ?? []

/** Titles of scenarios (`it: '…'`) and of tests that run; a value in one is written `…`. */
export function titlesOf(path: string, text: string): Titled[] {
  const parsed = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, false, ts.ScriptKind.TS)
  const titles: Titled[] = []
  function visit(node: ts.Node): void {
    const title = ts.isPropertyAssignment(node) && ts.isIdentifier(node.name) && node.name.text === 'it' ? node.initializer : ts.isCallExpression(node) && isTest(node.expression) ? node.arguments[0] : undefined // prettier-ignore
    const words = title === undefined ? null : wordsOf(title)
    if (words !== null) titles.push({ path, title: words })
    ts.forEachChild(node, visit)
  }
  visit(parsed)
  return titles
}

/** `test(…)`, `describe(…)`, and `test.each(…)(…)`; not what is skipped or still to be written. */
function isTest(callee: ts.Expression): boolean {
  if (ts.isIdentifier(callee)) return ['test', 'it', 'describe'].includes(callee.text)
  return (
    ts.isCallExpression(callee) &&
    ts.isPropertyAccessExpression(callee.expression) &&
    callee.expression.name.text === 'each' &&
    isTest(callee.expression.expression)
  )
}

function wordsOf(title: ts.Expression): string | null {
  if (ts.isStringLiteralLike(title)) return title.text
  if (!ts.isTemplateExpression(title)) return null
  return title.head.text + title.templateSpans.map(({ literal }) => `…${literal.text}`).join('')
}

/** One line for each row whose test is not there, or does not carry the row's number. */
export function missingTests(rows: readonly Row[], titles: readonly Titled[]): string[] {
  const known = new Set(titles.map(({ path, title }) => `${path} ${title}`))
  return rows.flatMap(({ number, path, title }) => {
    if (!known.has(`${path} ${title}`)) return [`${number}: ${path} has no test "${title}"; name the one that is`]
    if (!numbersIn(title).includes(number))
      return [`${number}: "${title}" does not carry the number; end it with (${number})`]
    return []
  })
}

/** One line for each title with a number that no row names. */
export function unlistedTests(rows: readonly Row[], titles: readonly Titled[]): string[] {
  const listed = new Set(rows.map(({ number, path, title }) => `${number} ${path} ${title}`))
  return titles.flatMap(({ path, title }) =>
    numbersIn(title)
      .filter((number) => !listed.has(`${number} ${path} ${title}`))
      .map((number) => `${path}: "${title}" carries ${number}; add its row to processors/BEHAVIOURS.md`),
  )
}

/** Numbers without a row. @param counts how many numbers a section has, by section */
export function untested(rows: readonly Row[], counts: Readonly<Record<string, number>>): string[] {
  const tested = new Set(rows.map(({ number }) => number))
  return Object.entries(counts)
    .flatMap(([section, count]) => Array.from({ length: count }, (_, n) => `${section}.${String(n + 1)}`))
    .filter((number) => !tested.has(number))
}
