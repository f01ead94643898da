/** What the practice model says: it follows from the conversation alone, unless a script says otherwise. */

import { createHash } from 'node:crypto'
import type { Conversation, Known, Reply } from './conversation.ts'
import { askedObject, factsIn, isKnown, lastSaid, words } from './conversation.ts'
import { chatReply, reportOf } from './chat.ts'
import type { Given } from './fill-schema.ts'
import { filled } from './fill-schema.ts'
import type { SandboxRule } from './script.ts'

export function replyTo(conversation: Conversation, told: SandboxRule['answer']): Reply {
  if (told === 'refusal') return { kind: 'refusal', text: "I'm sorry, I can't help with that." }
  const call = toolFor(conversation)
  if (call !== null) return { kind: 'calls', calls: [call] }
  if (conversation.schema === null) return { kind: 'text', text: cut(chatReply(conversation), told) }
  if (told === 'wrong_shape') return { kind: 'text', text: JSON.stringify({ of_another_shape: true }) }
  const value = filled(conversation.schema, givenIn(conversation))
  const text = JSON.stringify(told === 'invented_finding' ? withInvented(value) : value)
  return { kind: 'text', text: cut(text, told) }
}

/** A text that breaks off. */
const cut = (text: string, told: SandboxRule['answer']): string =>
  told === 'malformed_json' ? text.slice(0, Math.ceil(text.length / 2)) : text

function givenIn(conversation: Conversation): Given {
  const object = askedObject(conversation)
  const spoken = Object.keys(object).length === 0 ? turnOf(conversation) : {}
  const asked: Known = { ...factsIn(conversation), ...spoken, ...object }
  const findings = Array.isArray(asked['findings']) ? asked['findings'].filter(isKnown) : []
  return { asked, findings, words: lastSaid(conversation) }
}

/** What a schema of a chat turn may ask for, by the usual names. */
function turnOf(conversation: Conversation): Known {
  const { text, ids, found } = reportOf(conversation)
  const said = { text, reply: text, answer: text, message: text, response: text }
  const cited = { citations: ids, findings: ids, cited: ids, cited_ids: ids, source_ids: ids, chunk_ids: ids }
  return { ...said, ...cited, confidence: found ? 0.8 : 0.3 }
}

/** The first id of a finding becomes one that was never given. */
function withInvented(value: unknown): unknown {
  let done = false
  const changed = (at: unknown): unknown => {
    if (Array.isArray(at)) return at.map(changed)
    if (!isKnown(at)) return at
    return Object.fromEntries(
      Object.entries(at).map(([name, inner]) => {
        if (done || name !== 'finding_id' || typeof inner !== 'string') return [name, changed(inner)]
        done = true
        return [name, inventedId(inner)]
      }),
    )
  }
  return changed(value)
}

function inventedId(of: string): string {
  const hex = createHash('sha256').update(`invented ${of}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/**
 * The tool that the last words ask for, with arguments out of them: one whose name shares a word with them, or one that
 * searches when they are a question. None when a tool has just answered.
 */
function toolFor(conversation: Conversation): Extract<Reply, { kind: 'calls' }>['calls'][number] | null {
  const { tools, turns } = conversation
  if (turns.at(-1)?.role !== 'user') return null
  const said = lastSaid(conversation)
  const meant = words(said)
  const shared = (name: string): number =>
    [...words(name.replaceAll('_', ' '))].filter((word) => meant.has(word)).length
  const named = tools.filter(({ name }) => shared(name) > 0).sort((a, b) => shared(b.name) - shared(a.name))
  const searches = said.includes('?') ? tools.filter(({ name }) => /^(search|find|look_?up|retrieve)/.test(name)) : []
  const tool = named[0] ?? searches[0]
  if (tool === undefined) return null
  const asked = { ...factsIn(conversation), ...inWords(said, tool.schema) }
  return { name: tool.name, arguments: filled(tool.schema, { asked, findings: [], words: said }) as Known }
}

/** What a sentence gives to the fields of a tool, by what they are called. */
function inWords(said: string, schema: Known): Known {
  const names = Object.keys(isKnown(schema['properties']) ? schema['properties'] : {})
  const value = (name: string): unknown => {
    if (/query|question|text|message|reason|summary|description|subject/.test(name)) return said
    if (/email/.test(name)) return /[^\s@<>]+@[^\s@<>]+\.[a-z]+/i.exec(said)?.[0]
    if (/_id$|^id$|number|order|reference/.test(name)) return /#?\b([A-Z]*-?\d[\w-]*)/.exec(said)?.[1]
    if (/amount|cents|count|quantity/.test(name)) return numberIn(said)
    return undefined
  }
  return Object.fromEntries(names.map((name) => [name, value(name)]).filter(([, found]) => found !== undefined))
}

const numberIn = (said: string): number | undefined => {
  const found = /\d+(?:\.\d+)?/.exec(said.replaceAll(',', ''))?.[0]
  return found === undefined ? undefined : Number(found)
}
