/** Anthropic's Messages API, for practice. It refuses what the real one refuses of our requests. */

import type { Conversation, Reply, Schema, Turn } from './conversation.ts'
import { companiesIn, innerSchemas, isKnown, tokensOf } from './conversation.ts'
import type { Answer, Asked, StandIn } from './exchange.ts'
import { field, hasBearer, idOf, jsonAnswer, textField } from './exchange.ts'
import { replyTo } from './reply.ts'
import type { SandboxRule } from './script.ts'

export const anthropic: StandIn = {
  name: 'anthropic',
  recognise: ({ method, path, json }) =>
    method === 'POST' && path === '/v1/messages'
      ? { operation: 'message', companies: companiesIn(conversationIn(json)) }
      : null,
  answer(_operation, asked, told) {
    const keyed = hasBearer(asked) || String(asked.headers['x-api-key'] ?? '') !== ''
    if (!keyed) return { status: 401, body: this.error(401) }
    const fault = faultIn(asked)
    return fault === null ? message(asked, told) : { status: 400, body: errorBody('invalid_request_error', fault) }
  },
  error(status) {
    return errorBody(
      kinds[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error'),
      `The sandbox answers ${status}.`,
    )
  },
}

const kinds: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  409: 'conflict_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
}

const errorBody = (type: string, text: string): string =>
  JSON.stringify({ type: 'error', error: { type, message: text }, request_id: `req_${idOf(type + text)}` })

function message(asked: Asked, told: SandboxRule['answer']): Answer {
  const id = idOf(asked.body)
  const most = Number(field(asked.json, 'max_tokens'))
  if (told === 'failed') return { status: 529, body: errorBody('overloaded_error', 'Overloaded') }
  const reply = replyTo(conversationIn(asked.json), told)
  const written = reply.kind === 'calls' ? JSON.stringify(reply.calls) : reply.text
  const cut = tokensOf(written) > most
  return jsonAnswer(
    200,
    {
      id: `msg_${id}`,
      type: 'message',
      role: 'assistant',
      model: textField(asked.json, 'model'),
      content: contentOf(reply, id, cut ? most : Number.POSITIVE_INFINITY),
      stop_reason: cut ? 'max_tokens' : stops[reply.kind],
      stop_sequence: null,
      usage: {
        input_tokens: tokensOf(asked.body),
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
        output_tokens: cut ? most : tokensOf(written),
      },
    },
    { 'request-id': `req_${id}` },
  )
}

const stops: Readonly<Record<Reply['kind'], string>> = { text: 'end_turn', calls: 'tool_use', refusal: 'refusal' }

function contentOf(reply: Reply, id: string, mostTokens: number): unknown[] {
  if (reply.kind === 'refusal') return []
  if (reply.kind === 'text') return [{ type: 'text', text: reply.text.slice(0, mostTokens * 4), citations: null }]
  return reply.calls.map(({ name, arguments: input }, n) => ({ type: 'tool_use', id: `toolu_${id}_${n}`, name, input }))
}

const listIn = (json: unknown, name: string): unknown[] => {
  const found = field(json, name)
  return Array.isArray(found) ? (found as unknown[]) : []
}

function conversationIn(json: unknown): Conversation {
  const format = field(field(json, 'output_config'), 'format')
  const schema = field(format, 'type') === 'json_schema' ? field(format, 'schema') : null
  return {
    system: textIn(field(json, 'system')),
    turns: listIn(json, 'messages').map(turnIn),
    tools: listIn(json, 'tools').map((tool) => ({
      name: textField(tool, 'name') ?? '',
      description: textField(tool, 'description') ?? '',
      schema: schemaIn(field(tool, 'input_schema')),
    })),
    schema: isKnown(schema) ? schema : null,
  }
}

const schemaIn = (value: unknown): Schema => (isKnown(value) ? value : {})

function turnIn(told: unknown): Turn {
  const content = field(told, 'content')
  const results = Array.isArray(content) ? content.filter((part) => textField(part, 'type') === 'tool_result') : []
  if (results.length > 0)
    return { role: 'tool', text: results.map((part) => textIn(field(part, 'content'))).join('\n') }
  return { role: textField(told, 'role') === 'assistant' ? 'assistant' : 'user', text: textIn(content) }
}

/** Text, or the texts of a list of blocks. */
function textIn(content: unknown): string {
  if (typeof content === 'string') return content
  return Array.isArray(content) ? content.map((part) => textField(part, 'text') ?? '').join('') : ''
}

/** What the real one would refuse; null when it would not. */
function faultIn({ json, headers }: Asked): string | null {
  if (headers['anthropic-version'] === undefined) return 'anthropic-version: header is required'
  for (const name of ['temperature', 'top_p', 'top_k'])
    if (field(json, name) !== undefined) return `${name}: is not supported by this API version`
  if (textField(json, 'model') === null) return 'model: Field required'
  const most = field(json, 'max_tokens')
  if (typeof most !== 'number' || most < 1) return 'max_tokens: Field required'
  const messages = listIn(json, 'messages')
  if (messages.length === 0) return 'messages: at least one message is required'
  if (textField(messages[0], 'role') !== 'user') return 'messages: first message must use the "user" role'
  if (textField(messages.at(-1), 'role') !== 'user') return 'messages: the conversation must end with a user message'
  const format = field(field(json, 'output_config'), 'format')
  const schemas = [
    ...(format == null ? [] : [field(format, 'schema')]),
    ...listIn(json, 'tools').flatMap((tool) => (field(tool, 'strict') === true ? [field(tool, 'input_schema')] : [])),
  ]
  return schemas.map(looseIn).find((found) => found !== null) ?? unansweredIn(messages)
}

/** Each use of a tool is answered in the next message, and nothing else is. */
function unansweredIn(messages: readonly unknown[]): string | null {
  const idsOf = (told: unknown, type: string, name: string): string[] =>
    listIn(told, 'content').flatMap((part) => (textField(part, 'type') === type ? [textField(part, name) ?? ''] : []))
  for (const [n, told] of messages.entries()) {
    const results = idsOf(told, 'tool_result', 'tool_use_id')
    const uses = idsOf(messages[n - 1], 'tool_use', 'id')
    if (results.some((id) => !uses.includes(id)))
      return `messages.${n}: unexpected tool_use_id found in tool_result blocks`
    if (uses.some((id) => !results.includes(id)))
      return `messages.${n}: tool_use ids were found without tool_result blocks immediately after`
  }
  return null
}

const refused = ['minLength', 'maxLength', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf']

function looseIn(schema: unknown): string | null {
  if (Array.isArray(schema)) return schema.map(looseIn).find((found) => found !== null) ?? null
  if (!isKnown(schema)) return null
  const properties = schema['properties']
  if (isKnown(properties) && schema['additionalProperties'] !== false)
    return "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false"
  for (const keyword of refused)
    if (typeof schema[keyword] === 'number')
      return `output_config.format.schema: property '${keyword}' is not supported`
  for (const inner of innerSchemas(schema)) {
    const found = looseIn(inner)
    if (found !== null) return found
  }
  return null
}
