/** What every document has: letterhead, title, parties, headings, clauses, signatures, and a foot on every page. */

import type { Party } from '../inputs.ts'
import type { Span } from './lines.ts'
import { bold } from './lines.ts'
import type { Paper, Style } from './paper.ts'
import { ink, measure, page } from './paper.ts'

export const text: Style = { size: 9.5, leading: 14 }
const soft: Style = { size: 8, leading: 11.5, color: ink.soft }
const eyebrow: Style = { size: 7.5, leading: 10, weight: 'bold', color: ink.accent, tracking: 0.5 }
const title: Style = { size: 24, leading: 30, weight: 'bold' }
const heading: Style = { size: 11.5, leading: 16, weight: 'bold' }
const field: Style = { size: 7.5, leading: 10, color: ink.soft }
const value: Style = { size: 9.5, leading: 13, weight: 'bold' }

export interface Fact {
  readonly label: string
  readonly text: string
}

/** Name on the left, address on the right, a rule in the accent below. */
export function letterhead(paper: Paper, seller: Party): void {
  const top = 48
  const half = measure / 2
  const name = paper.lines([seller.name], { ...value, size: 14, leading: 17 }, half - 20)
  paper.fill(page.left, top - 1, 4, 4 + name.length * 17, ink.accent, 2)
  name.forEach((line, index) =>
    paper.line(line, page.left + 14, top + 13 + index * 17, half, { ...value, size: 14, leading: 17 }),
  )
  const about = [...seller.address, ...[seller.registration, seller.email].filter((line) => line != null)]
  let y = top
  for (const one of about)
    for (const line of paper.lines([one], soft, half)) {
      y += soft.leading
      paper.line(line, page.left + half, y - 3, half, { ...soft, align: 'right' })
    }
  paper.y = Math.max(top + 17 * name.length, y) + 16
  paper.rule(page.left, paper.y, measure)
  paper.y += 26
}

export function titleBlock(paper: Paper, kind: string, words: string, facts: readonly Fact[]): void {
  paper.label(kind.toUpperCase(), page.left, paper.y + 7, eyebrow)
  paper.y += 17
  paper.block([words], title)
  paper.y += 10
  const width = measure / Math.max(facts.length, 3)
  const sets = facts.map((fact) => paper.lines([fact.text], value, width - 12))
  facts.forEach((fact, index) => {
    const x = page.left + index * width
    paper.label(fact.label, x, paper.y + 8, field)
    sets[index]?.forEach((line, row) => paper.line(line, x, paper.y + 22 + row * value.leading, width - 12, value))
  })
  paper.y += 22 + Math.max(...sets.map((lines) => lines.length)) * value.leading + 14
}

/** Two boxes beside each other. */
export function parties(
  paper: Paper,
  left: { role: string; party: Party },
  right: { role: string; party: Party },
): void {
  const gap = 16
  const width = (measure - gap) / 2
  const inner = width - 28
  const sets = [left, right].map(({ role, party }) => ({
    role,
    name: paper.lines([party.name], value, inner),
    rest: [...party.address, ...[party.registration, party.email].filter((line) => line != null)].flatMap((line) =>
      paper.lines([line], soft, inner),
    ),
  }))
  const height =
    38 + Math.max(...sets.map(({ name, rest }) => name.length * value.leading + rest.length * soft.leading))
  paper.ensure(height)
  sets.forEach(({ role, name, rest }, index) => {
    const x = page.left + index * (width + gap)
    paper.fill(x, paper.y, width, height, ink.fill, 5)
    let y = paper.y + 19
    paper.label(role.toUpperCase(), x + 14, y, { ...eyebrow, color: ink.soft })
    y += 16
    for (const line of name) {
      paper.line(line, x + 14, y, inner, value)
      y += value.leading
    }
    for (const line of rest) {
      paper.line(line, x + 14, y, inner, soft)
      y += soft.leading
    }
  })
  paper.y += height + 22
}

/** Stays with what follows it. */
export function headingOf(paper: Paper, words: string, follows = 2 * text.leading): void {
  const lines = paper.lines([words], heading, measure)
  paper.ensure(10 + lines.length * heading.leading + follows)
  paper.y += paper.y > page.top ? 10 : 0
  paper.block([words], heading)
  paper.y += 4
}

export function paragraph(paper: Paper, spans: readonly Span[]): void {
  paper.block(spans, text)
  paper.y += 6
}

export function bullets(paper: Paper, items: readonly string[]): void {
  for (const item of items) {
    paper.ensure(Math.min(2, paper.lines([item], text, measure - 18).length) * text.leading)
    paper.fill(page.left + 4, paper.y + text.size - 5, 3.4, 3.4, ink.accent, 1.7)
    paper.block([item], text, page.left + 18, measure - 18)
    paper.y += 3
  }
  paper.y += 4
}

export interface Clause {
  readonly heading: string
  readonly paragraphs: readonly (readonly Span[])[]
}

const numberWidth = 30

/**
 * `1.` before a heading, `1.1` before each paragraph of it, hanging.
 * @param follows the height of what follows: the last clause goes to its page with it, so that nobody signs a page without text
 */
export function clauses(paper: Paper, list: readonly Clause[], follows = 0): void {
  list.forEach((clause, index) => {
    if (index === list.length - 1) paper.ensure(clauseHeight(paper, clause) + follows)
    const number = index + 1
    const first = paper.lines(clause.paragraphs[0] ?? [], text, measure - numberWidth)
    const gapAbove = paper.y > page.top ? 10 : 0
    paper.ensure(gapAbove + heading.leading + 4 + Math.min(2, first.length) * text.leading)
    paper.y += paper.y > page.top ? gapAbove : 0
    const top = paper.y
    paper.label(`${number}.`, page.left, top + heading.size, { ...heading, color: ink.accent })
    paper.block([clause.heading], heading, page.left + numberWidth, measure - numberWidth)
    paper.y += 3
    clause.paragraphs.forEach((spans, row) => {
      const lines = paper.lines(spans, text, measure - numberWidth)
      paper.ensure(Math.min(2, lines.length) * text.leading)
      paper.label(`${number}.${row + 1}`, page.left, paper.y + text.size, { ...text, color: ink.soft, tabular: true })
      paper.block(spans, text, page.left + numberWidth, measure - numberWidth)
      paper.y += 4
    })
  })
}

function clauseHeight(paper: Paper, clause: Clause): number {
  const lines = clause.paragraphs.map((spans) => paper.lines(spans, text, measure - numberWidth).length)
  return 13 + heading.leading + lines.reduce((sum, count) => sum + count * text.leading + 4, 0)
}

const columnHeight = 136

export const signaturesHeight = (paper: Paper, words: string): number =>
  28 + paper.lines([words], text, measure).length * text.leading + columnHeight

/**
 * A column for each who signs. The anchors of the n-th, `/sign/` and `/daten/`, are there in white for the signature
 * service to find.
 */
export function signatures(paper: Paper, words: string, who: readonly Party[]): void {
  const gap = 36
  const width = (measure - gap) / 2
  paper.ensure(signaturesHeight(paper, words))
  paper.y += 14
  paper.block([words], text)
  paper.y += 14
  const top = paper.y
  who.forEach((party, index) => {
    const x = page.left + index * (width + gap)
    const anchor: Style = { size: 6, leading: 8, color: ink.white }
    const names = paper.lines([bold(party.name)], text, width)
    paper.label('FOR AND ON BEHALF OF', x, top + 7, { ...eyebrow, size: 6.5, color: ink.soft })
    names.slice(0, 2).forEach((line, row) => paper.line(line, x, top + 22 + row * 13, width, text))
    const base = top + 74
    paper.label(`/sig${index + 1}/`, x + 4, base - 6, anchor)
    paper.rule(x, base, width, ink.text)
    paper.label('Signature', x, base + 10, field)
    const { name = '', title: role = '' } = party.signer ?? {}
    signatureField(paper, 'Name', name, x, base + 34, width * 0.62)
    signatureField(paper, 'Title', role ?? '', x, base + 64, width * 0.62)
    const dateX = x + width * 0.68
    paper.label(`/date${index + 1}/`, dateX + 2, base + 30, anchor)
    signatureField(paper, 'Date', '', dateX, base + 34, width * 0.32)
  })
  paper.y = top + columnHeight
}

function signatureField(paper: Paper, label: string, words: string, x: number, baseline: number, width: number): void {
  const style: Style = { size: 9, leading: 11 }
  const [first] = paper.lines([words], style, width)
  if (first !== undefined) paper.line(first, x, baseline - 4, width, style)
  paper.rule(x, baseline, width, ink.line)
  paper.label(label, x, baseline + 9, field)
}

/** On every page, when all else is drawn; from the second on a head too. */
export function headsAndFeet(
  paper: Paper,
  of: { kind: string; document_id: string; version: number; seller: Party; confidential: boolean },
): void {
  const small: Style = { size: 7.5, leading: 10, color: ink.soft }
  const one = (words: string, width: number) => paper.lines([words], small, width)[0] ?? { pieces: [] }
  paper.onEveryPage((number, pages) => {
    if (number > 1) {
      paper.line(one(of.seller.name, measure * 0.6), page.left, 46, measure, small)
      paper.label(of.kind, page.left, 46, { ...small, align: 'right' }, measure)
      paper.rule(page.left, 54, measure)
    }
    const y = page.height - 36
    paper.rule(page.left, y - 12, measure)
    paper.line(one(`${of.document_id} · version ${of.version}`, measure * 0.42), page.left, y, measure, small)
    if (of.confidential) paper.label('Confidential', page.left, y, { ...small, align: 'center' }, measure)
    paper.label(`Page ${number} of ${pages}`, page.left, y, { ...small, align: 'right' }, measure)
  })
}
