/** OpenAI's Responses API and embeddings, for practice. It refuses what the real one refuses of our requests. */

import type { Conversation, Reply, Schema, Turn } from './conversation.ts'
import { companiesIn, innerSchemas, isKnown, tokensOf } from './conversation.ts'
import { base64Of, vectorOf } from './embedding.ts'
import type { Answer, Asked, StandIn } from './exchange.ts'
import { field, hasBearer, idOf, jsonAnswer, textField } from './exchange.ts'
import { replyTo } from './reply.ts'
import type { SandboxRule } from './script.ts'

const operations: Readonly<Record<string, string>> = { '/responses': 'respond', '/embeddings': 'embed' }

export const openai: StandIn = {
  name: 'openai',
  recognise(asked) {
    const operation = asked.method === 'POST' ? operations[asked.path] : undefined
    if (operation === undefined) return null
    return { operation, companies: operation === 'respond' ? companiesIn(conversationIn(asked.json)) : [] }
  },
  answer(operation, asked, told) {
    if (!hasBearer(asked)) return { status: 401, body: this.error(401) }
    const fault = operation === 'respond' ? faultIn(asked.json) : embeddingFault(asked.json)
    if (fault !== null) return { status: 400, body: errorBody('invalid_request_error', null, fault) }
    return operation === 'respond' ? respond(asked, told) : embed(asked)
  },
  error(status) {
    const [type, code] = kinds[status] ?? (status >= 500 ? ['server_error', null] : ['invalid_request_error', null])
    return errorBody(type, code, `The sandbox answers ${status}.`)
  },
}

const kinds: Readonly<Record<number, readonly [type: string, code: string | null]>> = {
  401: ['invalid_request_error', 'invalid_api_key'],
  404: ['invalid_request_error', 'model_not_found'],
  429: ['requests', 'rate_limit_exceeded'],
}

const errorBody = (type: string, code: string | null, message: string): string =>
  JSON.stringify({ error: { message, type, param: null, code } })

function respond(asked: Asked, told: SandboxRule['answer']): Answer {
  const id = idOf(asked.body)
  const most = field(asked.json, 'max_output_tokens')
  const common = { id: `resp_${id}`, object: 'response', created_at: 0, model: textField(asked.json, 'model') }
  if (told === 'failed') {
    const error = { code: 'server_error', message: 'The sandbox failed this response.' }
    return jsonAnswer(200, { ...common, status: 'failed', output: [], error, incomplete_details: null, usage: null })
  }
  const reply = replyTo(conversationIn(asked.json), told)
  const written = reply.kind === 'calls' ? JSON.stringify(reply.calls) : reply.text
  const cut = typeof most === 'number' && tokensOf(written) > most
  const output = outputOf(reply, id, cut ? (most as number) : Number.POSITIVE_INFINITY)
  const [input, wrote] = [tokensOf(asked.body), cut ? (most as number) : tokensOf(written)]
  return jsonAnswer(200, {
    ...common,
    status: cut ? 'incomplete' : 'completed',
    incomplete_details: cut ? { reason: 'max_output_tokens' } : null,
    error: null,
    output,
    usage: {
      input_tokens: input,
      input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
      output_tokens: wrote,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: input + wrote,
    },
  })
}

function outputOf(reply: Reply, id: string, mostTokens: number): unknown[] {
  if (reply.kind === 'calls')
    return reply.calls.map((call, n) => ({
      type: 'function_call',
      id: `fc_${id}_${n}`,
      call_id: `call_${id}_${n}`,
      name: call.name,
      arguments: JSON.stringify(call.arguments),
      status: 'completed',
    }))
  const part =
    reply.kind === 'refusal'
      ? { type: 'refusal', refusal: reply.text }
      : { type: 'output_text', text: reply.text.slice(0, mostTokens * 4), annotations: [], logprobs: [] }
  return [{ type: 'message', id: `msg_${id}`, role: 'assistant', status: 'completed', content: [part] }]
}

function embed(asked: Asked): Answer {
  const input = field(asked.json, 'input')
  const model = textField(asked.json, 'model') ?? ''
  const wanted = field(asked.json, 'dimensions')
  const dimensions = typeof wanted === 'number' ? wanted : model.endsWith('-large') ? 3072 : 1536
  const texts = (Array.isArray(input) ? input : [input]).map(String)
  const plain = field(asked.json, 'encoding_format') !== 'base64'
  const data = texts.map((text, index) => {
    const vector = vectorOf(text, dimensions)
    return { object: 'embedding', index, embedding: plain ? [...vector] : base64Of(vector) }
  })
  const tokens = texts.reduce((sum, text) => sum + tokensOf(text), 0)
  return jsonAnswer(200, { object: 'list', model, data, usage: { prompt_tokens: tokens, total_tokens: tokens } })
}

function embeddingFault(json: unknown): string | null {
  const input = field(json, 'input')
  const texts = Array.isArray(input) ? (input as unknown[]) : [input]
  if (textField(json, 'model') === null) return "Missing required parameter: 'model'."
  const fine = texts.length > 0 && texts.every((text) => typeof text === 'string' && text !== '')
  return fine ? null : "'$.input' is invalid."
}

const listIn = (json: unknown, name: string): unknown[] => {
  const found = field(json, name)
  return Array.isArray(found) ? (found as unknown[]) : []
}

function conversationIn(json: unknown): Conversation {
  const format = field(field(json, 'text'), 'format')
  const schema = field(format, 'type') === 'json_schema' ? field(format, 'schema') : null
  const input = field(json, 'input')
  return {
    system: textField(json, 'instructions') ?? '',
    turns: typeof input === 'string' ? [{ role: 'user', text: input }] : listIn(json, 'input').flatMap(turnIn),
    tools: listIn(json, 'tools').map((tool) => ({
      name: textField(tool, 'name') ?? '',
      description: textField(tool, 'description') ?? '',
      schema: schemaIn(field(tool, 'parameters')),
    })),
    schema: isKnown(schema) ? schema : null,
  }
}

const schemaIn = (value: unknown): Schema => (isKnown(value) ? value : {})

function turnIn(item: unknown): Turn[] {
  const type = textField(item, 'type')
  if (type === 'function_call_output') return [{ role: 'tool', text: textField(item, 'output') ?? '' }]
  if (type === 'function_call') return [{ role: 'assistant', text: '' }]
  const role = textField(item, 'role') === 'assistant' ? 'assistant' : 'user'
  const content = field(item, 'content')
  const parts = Array.isArray(content) ? content.map((part) => textField(part, 'text') ?? '').join('\n') : content
  return typeof parts === 'string' ? [{ role, text: parts }] : []
}

/** What the real one would refuse; null when it would not. */
function faultIn(json: unknown): string | null {
  if (textField(json, 'model') === null) return "Missing required parameter: 'model'."
  const input = field(json, 'input')
  if (typeof input !== 'string' && (!Array.isArray(input) || input.length === 0))
    return "Missing required parameter: 'input'."
  const most = field(json, 'max_output_tokens')
  if (typeof most === 'number' && most < 16) return "Invalid 'max_output_tokens': integer below minimum value."
  const calls = new Set(listIn(json, 'input').map((item) => (isCall(item) ? textField(item, 'call_id') : null)))
  for (const item of listIn(json, 'input'))
    if (textField(item, 'type') === 'function_call_output' && !calls.has(textField(item, 'call_id')))
      return `No tool call found for function call output with call_id ${textField(item, 'call_id') ?? ''}.`
  const format = field(field(json, 'text'), 'format')
  const strict = [
    ...(field(format, 'type') === 'json_schema' ? [{ name: 'text.format.schema', of: format, schema: 'schema' }] : []),
    ...listIn(json, 'tools').map((of, n) => ({ name: `tools[${n}].parameters`, of, schema: 'parameters' })),
  ].filter(({ of }) => field(of, 'strict') === true)
  for (const { name, of, schema } of strict) {
    const loose = looseIn(field(of, schema))
    if (loose !== null) return `Invalid schema for '${name}': ${loose}`
  }
  return null
}

const isCall = (item: unknown): boolean => textField(item, 'type') === 'function_call'

/** The rules of a strict schema. */
function looseIn(schema: unknown): string | null {
  if (Array.isArray(schema)) return schema.map(looseIn).find((found) => found !== null) ?? null
  if (!isKnown(schema)) return null
  const properties = schema['properties']
  if (isKnown(properties)) {
    if (schema['additionalProperties'] !== false)
      return "'additionalProperties' is required to be supplied and to be false."
    const required = listIn(schema, 'required')
    const missing = Object.keys(properties).find((name) => !required.includes(name))
    if (missing !== undefined) return `'required' is required to include every key in properties. Missing '${missing}'.`
  }
  for (const keyword of ['minLength', 'maxLength', 'uniqueItems'])
    if (keyword in schema) return `'${keyword}' is not permitted.`
  for (const inner of innerSchemas(schema)) {
    const found = looseIn(inner)
    if (found !== null) return found
  }
  return null
}
