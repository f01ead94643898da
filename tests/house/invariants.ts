/**
 * Numbered invariants: where they are stated, and whether a test cites them.
 *
 * One is stated in the comment a file opens with (` * R6  Timers …`), or in a list of a DESIGN.md (`- **S4** The disk …`);
 * a line that names another file in brackets only repeats what is stated there.
 * A number belongs to its place, the folder with one door (`topology`, `api/auth`): other places have an S1 of their own.
 * A test cites it in a name or a comment, alone (`R6`) or in a range (`W1-W5`). What counts for a place is what lies under
 * `tests/<place>/`, and the suites of `tests/contracts/` that import from it.
 */

import ts from 'typescript'
import { placeOf } from './rules.ts'
import type { SourceFile } from './source-file.ts'

export interface Text {
  readonly path: string
  readonly text: string
}

export interface Invariant {
  readonly place: string
  /** As in `R6` or `GM4`. */
  readonly number: string
  /** The files that state it: a heart and its DESIGN.md may both. */
  readonly paths: readonly string[]
}

/** As in `api/auth R1`. */
export const nameOf = ({ place, number }: Invariant): string => `${place} ${number}`

/** @param product sources and documents; @returns in the order of place and number */
export function statedInvariants(product: readonly Text[]): Invariant[] {
  const paths = new Map<string, string[]>()
  for (const { path, text } of product)
    for (const number of path.endsWith('.md') ? inList(text) : inHeader(text)) {
      const id = `${placeOf(path)} ${number}`
      paths.set(id, [...(paths.get(id) ?? []), path])
    }
  return [...paths]
    .map(([id, stating]) => {
      const [place = '', number = ''] = id.split(' ')
      return { place, number, paths: stating }
    })
    .sort((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : byNumber(a.number, b.number)))
}

const byNumber = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true })

function inHeader(text: string): string[] {
  const header = /^\/\*\*([^]*?)\*\//.exec(text)?.[1] ?? ''
  return [...header.matchAll(/^ *\* +([A-Z]{1,2}\d{1,2})(?: {2,}(?=\S)| (?=[A-Z`]))(.*)/gm)]
    .filter(([, , words = '']) => !/\(`[a-z-]+\.ts`\)/.test(words))
    .map(([, number = '']) => number)
}

const inList = (text: string): string[] =>
  [...text.matchAll(/^- \*\*([A-Z]{1,2}\d{1,2})\*\*/gm)].map(([, number = '']) => number)

/** Those that no test cites. */
export function uncitedInvariants(stated: readonly Invariant[], tests: readonly SourceFile[]): Invariant[] {
  const cited = new Set(tests.flatMap((file) => placesOf(file).flatMap((place) => citations(file.text).map((number) => `${place} ${number}`)))) // prettier-ignore
  return stated.filter((invariant) => !cited.has(nameOf(invariant)))
}

/** One line for each number that two sources of a place state: a citation could not say which it means. */
export function ambiguousInvariants(stated: readonly Invariant[]): string[] {
  return stated.flatMap(({ place, number, paths }) => {
    const sources = paths.filter((path) => !path.endsWith('.md'))
    return sources.length < 2 ? [] : [`${place}: ${number} is stated by ${sources.join(' and ')}`]
  })
}

function placesOf({ path, imports }: SourceFile): string[] {
  if (path.startsWith('tests/contracts/'))
    return [...new Set(imports.filter(({ relative }) => relative).map(({ target }) => placeOf(target)))]
  return [placeOf(path.slice('tests/'.length))]
}

/** Numbers named in comments and strings; ranges spelt out. */
export function citations(text: string): string[] {
  return wordsOf(text).flatMap((words) =>
    [...words.matchAll(/\b([A-Z]{1,2})([1-9]\d?)\b(?:[-–]([A-Z]{1,2})([1-9]\d?)\b)?/g)].flatMap(
      ([, letter = '', first = '', endLetter, last]) => {
        const end = last !== undefined && endLetter === letter ? Number(last) : Number(first)
        return Array.from({ length: Math.max(1, end - Number(first) + 1) }, (_, n) => `${letter}${Number(first) + n}`)
      },
    ),
  )
}

/** Comments, strings and the texts of templates. */
function wordsOf(text: string): string[] {
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, false, ts.LanguageVariant.Standard, text)
  const words: string[] = []
  for (let kind = scanner.scan(); kind !== ts.SyntaxKind.EndOfFileToken; kind = scanner.scan()) {
    if (kind === ts.SyntaxKind.CloseBraceToken && scanner.getTokenText() === '}') continue
    if (
      kind === ts.SyntaxKind.SingleLineCommentTrivia ||
      kind === ts.SyntaxKind.MultiLineCommentTrivia ||
      kind === ts.SyntaxKind.StringLiteral ||
      kind === ts.SyntaxKind.NoSubstitutionTemplateLiteral ||
      kind === ts.SyntaxKind.TemplateHead
    )
      words.push(scanner.getTokenText())
  }
  return words
}

/**
 * Owed: stated, and cited by no test yet. A ratchet: one that is cited comes off the list, and none is added. The engine
 * owes none.
 */
export const owedCitations: Readonly<Record<string, readonly string[]>> = {
  'api/auth': ['A1', 'A2', 'A3', 'L1', 'L2', 'R1', 'R2', 'R3', 'S1', 'S2', 'V1', 'V2', 'V3'],
  'api/ingest': ['G3'],
  'api/relay': ['O3', 'O4', 'O5'],
  'connectors/effects': ['X1', 'X2', 'X3'],
  deploy: ['K1', 'V1', 'V2'],
  schemas: ['C1', 'E1', 'E2', 'E8', 'E9', 'E10'],
}
