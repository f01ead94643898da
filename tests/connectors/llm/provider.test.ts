import { expect, test } from 'vitest'
import { llmProvider } from '../../../connectors/llm/index.ts'
import type { LlmCallOutput, LlmCallRequest, LlmEmbedOutput } from '../../../connectors/llm/index.ts'
import type { Sandbox } from '../../../connectors/sandbox/index.ts'
import type { Json } from '../../../schemas/index.ts'
import { call, sandbox } from '../sandbox/start.ts'
import { city, models, tenantA } from './start.ts'

const provider = (to: Sandbox) =>
  llmProvider({ llm: models(to), mode: 'sandbox', rate: null, concurrency: 4, timeoutMs: 10_000 })
const ask = (to: Sandbox, request: unknown, more: { attempt?: number; operation?: string } = {}) =>
  provider(to).call(call(more.operation ?? 'complete', request as Json, { tenantId: tenantA, ...more }))
const request: LlmCallRequest = {
  system: '',
  messages: [{ role: 'user', content: '{"city":"Bern"}' }],
  schema: city,
  maxOutputTokens: 100,
}

test('a call is answered with text, JSON, who said it and what it cost', async () => {
  const to = await sandbox()
  for (const [attempt, vendor, model] of [
    [1, 'openai', 'gpt-6-luna'],
    [3, 'anthropic', 'claude-sonnet-5-5'],
  ] as const) {
    const outcome = await ask(to, request, { attempt })
    expect(outcome).toMatchObject({ class: 'ok', status: 200 })
    expect(outcome.costMicrodollars).toBeGreaterThan(0)
    const output = outcome.output as unknown as LlmCallOutput
    expect(output).toMatchObject({ vendor, model, stop: 'end', tool_calls: [], json: { city: 'Bern', people: 18 } })
    expect(JSON.parse(output.text)).toEqual(output.json)
    expect(output.usage.input_tokens).toBeGreaterThan(0)
  }
})

test('tools go there and back', async () => {
  const to = await sandbox()
  const tools = [{ name: 'order_status', description: 'Tells where an order is.', parameters: city.schema }]
  const first: LlmCallRequest = {
    ...{ system: '', maxOutputTokens: 100, tools },
    messages: [{ role: 'user', content: 'Where is my order?' }],
  }
  for (const attempt of [1, 3]) {
    const called = (await ask(to, first, { attempt })).output as unknown as LlmCallOutput
    expect(called).toMatchObject({ stop: 'tools', json: null, tool_calls: [{ name: 'order_status' }] })
    const [{ id } = { id: '' }] = called.tool_calls
    const second: LlmCallRequest = {
      ...first,
      messages: [
        ...first.messages,
        { role: 'assistant', content: called.text, toolCalls: called.tool_calls },
        { role: 'tool', toolCallId: id, content: 'It left on Monday.' },
      ],
    }
    const answered = (await ask(to, second, { attempt })).output as unknown as LlmCallOutput
    expect(answered).toMatchObject({ stop: 'end', tool_calls: [] })
    expect(answered.text).toContain('It left on Monday.')
  }
})

test('what failed has no output, and the wait is told', async () => {
  const to = await sandbox({ status: 429, headers: { 'retry-after': '3' } })
  expect(await ask(to, request)).toMatchObject({ class: 'retry', status: 429, output: null, retryAfterMs: 3_000 })
})

test.each([
  ['another operation', request, { operation: 'chat' }, 'no such operation'],
  ['a field of another name', { ...request, max_output_tokens: 5 }, {}, 'is not as wanted'],
  ['no messages', { ...request, messages: undefined }, {}, 'messages'],
  ['another role', { ...request, messages: [{ role: 'system', content: 'x' }] }, {}, 'messages.0.role'],
  ['nothing', null, {}, 'is not as wanted'],
])('%s is refused in words', async (_, wrong, more, words) => {
  const outcome = await ask(await sandbox(), wrong, more)
  expect(outcome).toMatchObject({ class: 'invalid', status: 0, output: null })
  expect(outcome.error).toContain(words)
})

test('texts become vectors, in base64', async () => {
  const to = await sandbox()
  const llm = models(to, { embedding: { model: 'text-embedding-3-small' } })
  const texts = ['refund of an order', 'refunds of orders', 'a whale sings']
  const embedded = await llmProvider({ llm, mode: 'sandbox', rate: null, concurrency: 4, timeoutMs: 10_000 }).call(
    call('embed', { texts }, { tenantId: tenantA }),
  )
  expect(embedded).toMatchObject({ class: 'ok', costMicrodollars: 1 })
  const output = embedded.output as unknown as LlmEmbedOutput
  expect(output).toMatchObject({ dimensions: 1536, model: 'text-embedding-3-small', vendor: 'openai' })
  const { vectors } = await llm.embed({ texts, tenantId: tenantA, signal: new AbortController().signal })
  const [, second] = output.vectors.map((text) => Buffer.from(text, 'base64'))
  expect(second?.readFloatLE(4 * 7)).toBe(vectors[1]![7])
  const cosine = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, n) => sum + value * b[n]!, 0)
  expect(cosine(vectors[0]!, vectors[0]!)).toBeCloseTo(1, 5)
  expect(cosine(vectors[0]!, vectors[1]!)).toBeGreaterThan(0.9)
  expect(cosine(vectors[0]!, vectors[2]!)).toBeLessThan(0.2)
  const wrong = await provider(to).call(call('embed', { text: 'x' }, { tenantId: tenantA }))
  expect(wrong).toMatchObject({ class: 'invalid', output: null })
})
