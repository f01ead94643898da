/** The bytes that go to each vendor, and what is read out of theirs. */

import { describe, expect, test } from 'vitest'
import type { LlmMessage, LlmTool } from '../../../connectors/llm/index.ts'
import { anthropicSays, city, modelsOf, openaiSays, question, scripted } from './start.ts'

const lookUp: LlmTool = {
  name: 'look_up',
  description: 'Looks an order up.',
  parameters: { type: 'object', properties: { id: { type: 'string', minLength: 1 } }, required: ['id'] },
}
const talk: readonly LlmMessage[] = [
  { role: 'user', content: 'Where are orders 7 and 8?' },
  {
    role: 'assistant',
    content: 'Let me see.',
    toolCalls: [
      { id: 'c1', name: 'look_up', arguments: { id: '7' } },
      { id: 'c2', name: 'look_up', arguments: { id: '8' } },
    ],
  },
  { role: 'tool', toolCallId: 'c1', content: 'shipped' },
  { role: 'tool', toolCallId: 'c2', content: 'gone', isError: true },
]
const samplers = ['temperature', 'top_p', 'top_k', 'seed', 'frequency_penalty']

test('OpenAI: the request', async () => {
  const { url, seen } = await scripted(openaiSays('{"city":"Bern","people":12}'))
  const llm = modelsOf({ openai: `${url}/v1`, anthropic: url }, { effort: 'low' })
  const outcome = await llm.complete(question({ messages: talk, tools: [lookUp], schema: city }))
  expect(outcome.class).toBe('ok')
  const [request] = seen
  expect(request).toMatchObject({ method: 'POST', path: '/v1/responses' })
  expect(request?.headers).toMatchObject({ authorization: 'Bearer sk-openai', 'x-stainless-retry-count': '0' })
  expect(request?.body).toEqual({
    model: 'gpt-6-luna',
    instructions: question().system,
    store: false,
    max_output_tokens: 500,
    reasoning: { effort: 'low' },
    input: [
      { role: 'user', content: 'Where are orders 7 and 8?' },
      { role: 'assistant', content: 'Let me see.' },
      { type: 'function_call', call_id: 'c1', name: 'look_up', arguments: '{"id":"7"}' },
      { type: 'function_call', call_id: 'c2', name: 'look_up', arguments: '{"id":"8"}' },
      { type: 'function_call_output', call_id: 'c1', output: 'shipped' },
      { type: 'function_call_output', call_id: 'c2', output: 'Error: gone' },
    ],
    tools: [
      {
        ...{ type: 'function', name: 'look_up', description: 'Looks an order up.', strict: true },
        parameters: {
          type: 'object',
          properties: { id: { type: 'string', description: '(minLength: 1)' } },
          required: ['id'],
          additionalProperties: false,
        },
      },
    ],
    text: {
      format: {
        ...{ type: 'json_schema', name: 'city', strict: true },
        schema: { ...city.schema, additionalProperties: false },
      },
    },
  })
})

test('Anthropic: the request, without sampling parameters', async () => {
  const { url, seen } = await scripted(anthropicSays('{"city":"Bern","people":12}'))
  const llm = modelsOf({ openai: url, anthropic: url }, { effort: 'medium' })
  expect((await llm.complete(question({ attempt: 3, messages: talk, tools: [lookUp], schema: city }))).class).toBe('ok')
  const [request] = seen
  expect(request).toMatchObject({ method: 'POST', path: '/v1/messages' })
  expect(request?.headers).toMatchObject({ authorization: 'Bearer sk-ant', 'anthropic-version': '2026-10-21' })
  for (const name of samplers) expect(request?.body).not.toHaveProperty(name)
  expect(request?.body).toEqual({
    model: 'claude-sonnet-5-5',
    system: question().system,
    max_tokens: 500,
    messages: [
      { role: 'user', content: 'Where are orders 7 and 8?' },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'Let me see.' },
          { type: 'tool_use', id: 'c1', name: 'look_up', input: { id: '7' } },
          { type: 'tool_use', id: 'c2', name: 'look_up', input: { id: '8' } },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'c1', content: 'shipped' },
          { type: 'tool_result', tool_use_id: 'c2', content: 'gone', is_error: true },
        ],
      },
    ],
    tools: [
      {
        ...{ name: 'look_up', description: 'Looks an order up.', strict: true },
        input_schema: {
          type: 'object',
          properties: { id: { type: 'string', description: '(minLength: 1)' } },
          required: ['id'],
          additionalProperties: false,
        },
      },
    ],
    output_config: {
      effort: 'medium',
      format: {
        type: 'json_schema',
        schema: {
          type: 'object',
          properties: {
            city: { type: 'string' },
            people: { type: 'integer', description: '(minimum: 10, maximum: 20)' },
          },
          required: ['city', 'people'],
          additionalProperties: false,
        },
      },
    },
  })
})

test('nothing of the tenant goes to a vendor, and a plain question stays plain', async () => {
  const { url, seen } = await scripted(openaiSays('Hello'), anthropicSays('Hello'))
  const llm = modelsOf({ openai: url, anthropic: url })
  for (const attempt of [1, 3]) await llm.complete(question({ attempt }))
  expect(seen).toHaveLength(2)
  for (const request of seen) expect(JSON.stringify(request)).not.toContain(question().tenantId)
  expect(Object.keys(seen[0]!.body).sort()).toEqual(['input', 'instructions', 'max_output_tokens', 'model', 'store'])
  expect(Object.keys(seen[1]!.body).sort()).toEqual(['max_tokens', 'messages', 'model', 'system'])
})

test('usage and cost of both are counted alike, at the price of the vendor that answered', async () => {
  const { url } = await scripted(openaiSays('Hello'), anthropicSays('Hello'))
  const llm = modelsOf({ openai: url, anthropic: url })
  const usage = { inputTokens: 1_000, outputTokens: 100, cachedInputTokens: 600, cacheWriteTokens: 0 }
  expect(await llm.complete(question())).toEqual({
    ...{ class: 'ok', status: 200, text: 'Hello', toolCalls: [], stop: 'end', usage },
    ...{ vendor: 'openai', model: 'gpt-6-luna-2026-09-22', priceVersion: '2026-11-26' },
    costMicrodollars: 40 + 6 + 50,
  })
  expect(await llm.complete(question({ attempt: 3 }))).toMatchObject({
    ...{ usage, vendor: 'anthropic', model: 'claude-sonnet-5-5' },
    costMicrodollars: 800 + 120 + 1_000,
  })
})

describe('tool calls come back in one shape', () => {
  const call = { type: 'function_call', id: 'fc', call_id: 'c9', name: 'look_up', arguments: '{"id":"7"}' }
  const use = { type: 'tool_use', id: 'c9', name: 'look_up', input: { id: '7' } }
  test.each([
    [1, openaiSays('', { output: [call] })],
    [3, anthropicSays('', { content: [use], stop_reason: 'tool_use' })],
  ])('of attempt %i', async (attempt, answer) => {
    const { url } = await scripted(answer)
    const outcome = await modelsOf({ openai: url, anthropic: url }).complete(question({ attempt, tools: [lookUp] }))
    expect(outcome).toMatchObject({
      ...{ class: 'ok', stop: 'tools', text: '' },
      toolCalls: [{ id: 'c9', name: 'look_up', arguments: { id: '7' } }],
    })
    expect(outcome).not.toHaveProperty('json')
  })

  test.each([
    ['one that was not offered', { ...call, name: 'delete_all' }, 'not offered'],
    ['arguments that are no JSON', { ...call, arguments: '{"id":' }, 'are no JSON'],
    ['arguments that do not fit', { ...call, arguments: '{"id":""}' }, '/id breaks "minLength"'],
  ])('M3: %s is tried again', async (_, wrong, words) => {
    const { url } = await scripted(openaiSays('', { output: [wrong] }))
    const outcome = await modelsOf({ openai: url, anthropic: url }).complete(question({ tools: [lookUp] }))
    expect(outcome).toMatchObject({ class: 'retry', toolCalls: [], costMicrodollars: 96 })
    expect(outcome.error).toContain(words)
  })
})

describe('answers that are none', () => {
  test.each([
    ['refusal', { output: [{ type: 'message', content: [{ type: 'refusal', refusal: 'No.' }] }] }, 'invalid'],
    ['withheld', { status: 'incomplete', incomplete_details: { reason: 'content_filter' } }, 'invalid'],
    ['failed', { status: 'failed', error: { code: 'server_error' }, usage: null }, 'retry'],
    ['failed by our fault', { status: 'failed', error: { code: 'invalid_prompt' }, usage: null }, 'invalid'],
    ['not allowed', { status: 'failed', error: { code: 'bio_policy' }, usage: null }, 'invalid'],
    ['not allowed to us', { status: 'failed', error: { code: 'misalignment_policy_violation' } }, 'invalid'],
    ['kept elsewhere', { status: 'failed', error: { code: 'data_residency_mismatch' }, usage: null }, 'invalid'],
    ['limited', { status: 'failed', error: { code: 'rate_limit_exceeded' }, usage: null }, 'retry'],
    ['still at work', { status: 'in_progress' }, 'retry'],
    ['empty', { output: [] }, 'retry'],
    ['without usage', { usage: null }, 'retry'],
  ])('OpenAI: %s', async (_, more, of) => {
    const { url } = await scripted(openaiSays('Hello', more))
    const outcome = await modelsOf({ openai: url, anthropic: url }).complete(question())
    expect(outcome).toMatchObject({ class: of, status: 200, vendor: 'openai' })
    expect(outcome.error).toMatch(/^openai /)
  })

  test.each([
    ['refusal', { content: [], stop_reason: 'refusal' }, 'invalid'],
    ['no room', { stop_reason: 'model_context_window_exceeded' }, 'invalid'],
    ['paused', { stop_reason: 'pause_turn' }, 'retry'],
    ['only thoughts', { content: [{ type: 'thinking', thinking: 'x' }], stop_reason: 'max_tokens' }, 'retry'],
  ])('Anthropic: %s', async (_, more, of) => {
    const { url } = await scripted(anthropicSays('Hello', more))
    const outcome = await modelsOf({ openai: url, anthropic: url }).complete(question({ attempt: 3 }))
    expect(outcome).toMatchObject({ class: of, status: 200, vendor: 'anthropic', costMicrodollars: 1_920 })
    expect(outcome.error).toMatch(/^anthropic /)
  })

  test('a text that is cut is still one, JSON that is cut is not', async () => {
    const { url } = await scripted(anthropicSays('{"city":"Be', { stop_reason: 'max_tokens' }))
    const llm = modelsOf({ openai: url, anthropic: url })
    expect(await llm.complete(question({ attempt: 3 }))).toMatchObject({ class: 'ok', stop: 'length' })
    expect(await llm.complete(question({ attempt: 3, schema: city }))).toMatchObject({
      ...{ class: 'retry', stop: 'length', error: 'anthropic ran out of output' },
    })
  })
})

describe('errors that name their cause', () => {
  const openaiError = (type: string, code: string) => ({
    error: { message: 'personal words', type, code, param: null },
  })
  const anthropicError = (type: string, details?: object) => {
    return { type: 'error', error: { type, message: 'personal words', ...(details ? { details } : {}) } }
  }
  test.each([
    [1, 429, openaiError('insufficient_quota', 'insufficient_quota'), 'quota', 'insufficient_quota'],
    [1, 429, openaiError('requests', 'rate_limit_exceeded'), 'retry', 'rate_limit_exceeded'],
    [1, 404, openaiError('invalid_request_error', 'model_not_found'), 'invalid', 'model_not_found'],
    [3, 429, anthropicError('rate_limit_error'), 'retry', 'rate_limit_error'],
    [3, 429, anthropicError('rate_limit_error', { error_code: 'enforced_spend_limit_reached' }), 'quota', 'enforced'],
    [3, 402, anthropicError('billing_error'), 'quota', 'billing_error'],
    [3, 529, anthropicError('overloaded_error'), 'retry', 'overloaded_error'],
  ] as const)('attempt %i, %i %j', async (attempt, status, body, of, words) => {
    const { url, seen } = await scripted({ status, body })
    const outcome = await modelsOf({ openai: url, anthropic: url }).complete(question({ attempt }))
    expect(outcome).toMatchObject({ class: of, status, text: '', costMicrodollars: 0, stop: null })
    expect(outcome.error).toContain(words)
    expect(outcome.error).not.toContain('personal')
    expect(seen).toHaveLength(1) // it tries once: retries are the caller's
  })

  test.each([
    [{ 'retry-after': '7' }, 7_000],
    [{ 'retry-after-ms': '250', 'retry-after': '1' }, 250],
  ])('how long to wait: %j', async (headers, retryAfterMs) => {
    const { url } = await scripted({ status: 429, headers, body: openaiError('requests', 'rate_limit_exceeded') })
    expect(await modelsOf({ openai: url, anthropic: url }).complete(question())).toMatchObject({ retryAfterMs })
  })
})
