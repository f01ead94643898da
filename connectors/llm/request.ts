/** Whether a request can be asked at all. */

import type { EmbedRequest, LlmRequest } from './port.ts'
import { looseness, schemaCheck } from './schema.ts'

const named = /^[a-zA-Z0-9_-]{1,64}$/

/** One line that says what is wrong; null when it can be asked. */
export function faultOf(request: LlmRequest): string | null {
  const { messages, tools = [], schema, maxOutputTokens, attempt } = request
  const last = messages.at(-1)
  if (last === undefined || last.role === 'assistant') return 'the last message is not of the user or a tool'
  if (messages.some((message) => message.role === 'user' && message.content === '')) return 'a message is empty'
  if (!Number.isInteger(maxOutputTokens) || maxOutputTokens < 16) return 'maxOutputTokens is not a whole number from 16'
  if (!Number.isInteger(attempt) || attempt < 1) return 'attempt is not a whole number from 1'
  const names = tools.map(({ name }) => name)
  if (new Set(names).size !== names.length) return 'two tools have one name'
  const told = [
    ...tools.map(({ name, parameters }) => ({ what: `tool "${name}"`, name, shape: parameters })),
    ...(schema === undefined ? [] : [{ what: `schema "${schema.name}"`, name: schema.name, shape: schema.schema }]),
  ]
  for (const { what, name, shape } of told) {
    if (!named.test(name)) return `${what}: the name is not of letters, digits, _ and -`
    if (shape['type'] !== 'object') return `${what}: it is no schema of an object`
    const loose = looseness(shape)
    if (loose !== null) return `${what}: ${loose}`
    try {
      schemaCheck(shape)
    } catch {
      return `${what}: it is no JSON schema`
    }
  }
  return null
}

export function embedFault({ texts }: EmbedRequest): string | null {
  if (texts.length === 0 || texts.length > 2_048) return 'texts are not from 1 to 2048'
  return texts.some((text) => text === '') ? 'a text is empty' : null
}
