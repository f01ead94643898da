/** A short turn of conversation: about what was asked, out of the facts that the system prompt gives. */

import type { Conversation } from './conversation.ts'
import { factsIn, isKnown, lastSaid, words } from './conversation.ts'
import { textField } from './exchange.ts'

export function chatReply(conversation: Conversation): string {
  const last = conversation.turns.at(-1)
  if (last?.role === 'tool') return `Here is what I found: ${excerpt(last.text, 300)}`
  return reportOf(conversation).cited
}

export interface Report {
  readonly text: string
  /** The text, with the id of the record behind each sentence that stands on one. */
  readonly cited: string
  /** Of the records it stands on. */
  readonly ids: readonly string[]
  readonly found: boolean
}

/** What the facts say to the last question, or that they say nothing. */
export function reportOf(conversation: Conversation): Report {
  const nothing = (text: string): Report => ({ text, cited: text, ids: [], found: false })
  const said = excerpt(lastSaid(conversation), 120)
  const facts = factsIn(conversation)
  const company = textField(facts, 'company_name')
  if (/^\s*(hi|hello|hey|good (morning|day|evening)|hallo|guten tag)\b[^?]*$/i.test(said))
    return nothing(`Hello! What can I do for you${company === null ? '' : ` at ${company}`}?`)
  const asked = words(said)
  const told = fitting(asked, leaves(facts))
  if (told.length === 0) return nothing(`You asked: "${said}". I have nothing on that here; shall I ask a colleague?`)
  const ids = [...new Set(told.flatMap(({ id }) => id ?? []))]
  const report = (marked: boolean): string =>
    `On "${said}": ${told.map((leaf) => `${sentence(leaf, asked)}${marked && leaf.id !== null ? ` [${leaf.id}]` : ''}.`).join(' ')}`
  return { text: report(false), cited: report(true), ids, found: true }
}

interface Leaf {
  /** The names that lead to it. */
  readonly path: readonly string[]
  readonly text: string
  /** The id of the record it stands in. */
  readonly id: string | null
}

function leaves(value: unknown, path: readonly string[] = [], id: string | null = null): Leaf[] {
  if (Array.isArray(value)) return value.flatMap((item) => leaves(item, path, id))
  if (isKnown(value)) {
    const own = ['id', 'chunk_id', 'source_id'].map((name) => textField(value, name)).find((found) => found !== null)
    const passage = ['text', 'content', 'answer'].map((name) => textField(value, name)).find((found) => found !== null)
    const title = textField(value, 'title') ?? textField(value, 'question') ?? ''
    if (passage != null) return [{ path: [...path, title], text: passage, id: own ?? id }]
    return Object.entries(value).flatMap(([name, inner]) =>
      /(^|_)id$/.test(name) ? [] : leaves(inner, [...path, name], own ?? id),
    )
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? [{ path, text: String(value), id }]
    : []
}

/** The two leaves that share most words with the question. */
function fitting(asked: ReadonlySet<string>, all: readonly Leaf[]): Leaf[] {
  const score = ({ path, text }: Leaf): number =>
    [...words(`${path.join(' ').replaceAll('_', ' ')} ${text}`)].filter((word) => asked.has(word)).length
  return all
    .map((leaf) => ({ leaf, score: score(leaf) }))
    .filter((scored) => scored.score > 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, 2)
    .map(({ leaf }) => leaf)
}

/** Without its full stop. */
function sentence({ path, text }: Leaf, asked: ReadonlySet<string>): string {
  const parts = text.split(/(?<=[.!?])\s+/)
  const shares = (part: string): number => [...words(part)].filter((word) => asked.has(word)).length
  const best = parts.reduce((found, part) => (shares(part) > shares(found) ? part : found), '')
  const whole = parts.length > 1 || text.length > 60
  const told = whole ? best || excerpt(text, 200) : `${path.at(-1)?.replaceAll('_', ' ') || 'it'}: ${text}`
  return told.replace(/[.\s]+$/, '')
}

function excerpt(text: string, most: number): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`
}
