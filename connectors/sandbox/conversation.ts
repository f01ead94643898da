/** What a language model was asked, whichever provider's bytes it came in, and what it says. */

import { field } from './exchange.ts'

export type Schema = Readonly<Record<string, unknown>>

export interface Turn {
  readonly role: 'user' | 'assistant' | 'tool'
  readonly text: string
}

export interface Conversation {
  readonly system: string
  readonly turns: readonly Turn[]
  readonly tools: readonly { readonly name: string; readonly description: string; readonly schema: Schema }[]
  /** Of the answer; null when it is plain text. */
  readonly schema: Schema | null
}

export type Reply =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'refusal'; readonly text: string }
  | {
      readonly kind: 'calls'
      readonly calls: readonly { readonly name: string; readonly arguments: Readonly<Record<string, unknown>> }[]
    }

export type Known = Readonly<Record<string, unknown>>

/** What the asker said last. */
export const lastSaid = ({ turns }: Conversation): string => turns.findLast(({ role }) => role === 'user')?.text ?? ''

/** The asker's last words as a JSON object; empty when they are none. */
export const askedObject = (conversation: Conversation): Known => objectIn(lastSaid(conversation))

/** What the system prompt gives to know: a fenced block of facts, or lines that begin with the id of a finding in brackets. */
export function factsIn({ system }: Conversation): Known {
  const block = /```facts\s*\n([\s\S]*?)\n```/.exec(system)?.[1]
  if (block !== undefined) return objectIn(block)
  const passages = [...system.matchAll(/^\[([\w-]+)\] (.+)$/gm)].map(([, id, text]) => ({ id, text }))
  return passages.length === 0 ? {} : { passages }
}

function objectIn(text: string): Known {
  try {
    const value: unknown = JSON.parse(text)
    return isKnown(value) ? value : {}
  } catch {
    return {}
  }
}

export const isKnown = (value: unknown): value is Known =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What may hold a schema inside a schema: not the names of its properties. */
export function innerSchemas({ properties, $defs, ...rest }: Schema): unknown[] {
  return [properties, $defs].flatMap((map) => (isKnown(map) ? Object.values(map) : [])).concat(Object.values(rest))
}

/** Whom a conversation is about, for scripts that name companies. */
export function companiesIn(conversation: Conversation): string[] {
  const about = [askedObject(conversation), factsIn(conversation)]
  return about.flatMap((known) =>
    ['domain', 'company_name'].flatMap((name) => {
      const found = field(known, name)
      return typeof found === 'string' && found !== '' ? [found] : []
    }),
  )
}

/** About as many as a model would count. */
export const tokensOf = (text: string): number => Math.ceil(Buffer.byteLength(text) / 4)

/** The words that carry meaning, in lower case, without their endings. */
export function words(text: string): ReadonlySet<string> {
  const all = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
  return new Set(
    all.filter((word) => word.length > 2 && !empty.has(word)).map((word) => word.replace(/(ies|es|s)$/, '')),
  )
}

const empty: ReadonlySet<string> = new Set(
  'the and for you your are was with that this what how can does have has not but our from when where who why will would'.split(
    ' ',
  ),
)
