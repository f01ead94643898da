/** Language models against stand-ins and scripted servers, with a wall clock that a test turns. */

import type { IncomingHttpHeaders } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Llm, LlmRequest, LlmSettings } from '../../../connectors/llm/index.ts'
import { createLlm } from '../../../connectors/llm/index.ts'
import type { Sandbox } from '../../../connectors/sandbox/index.ts'

export const tenantA = '0a000000-0000-4000-8000-00000000000a'
export const tenantB = '0a000000-0000-4000-8000-00000000000b'

export const question = (more: Partial<LlmRequest> = {}): LlmRequest => ({
  system: 'You answer for Acme.\n```facts\n{"plan":"Pro","opening_hours":"9 to 17"}\n```',
  messages: [{ role: 'user', content: 'What are your opening hours?' }],
  maxOutputTokens: 500,
  tenantId: tenantA,
  attempt: 1,
  signal: new AbortController().signal,
  ...more,
})

export const city = {
  name: 'city',
  schema: {
    type: 'object',
    properties: { city: { type: 'string' }, people: { type: 'integer', minimum: 10, maximum: 20 } },
    required: ['city', 'people'],
  },
} as const

export const modelsOf = (urls: { openai: string; anthropic: string }, more: Partial<LlmSettings> = {}): Llm =>
  createLlm({
    openai: { baseUrl: urls.openai, apiKey: 'sk-openai', model: 'gpt-6-luna', timeoutMs: 10_000 },
    anthropic: { baseUrl: urls.anthropic, apiKey: 'sk-ant', model: 'claude-sonnet-5-5', timeoutMs: 10_000 },
    budget: null,
    now: () => Date.now(),
    ...more,
  })

export const models = (to: Sandbox, more: Partial<LlmSettings> = {}): Llm => modelsOf(to.baseUrls, more)

export interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Readonly<Record<string, unknown>>
}

/** Answers every request with the next of these (the last one again and again), and remembers what it saw. */
export async function scripted(
  ...answers: readonly { readonly status?: number; readonly headers?: Record<string, string>; readonly body: unknown }[]
): Promise<{ readonly url: string; readonly seen: Seen[] }> {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Seen['body']
      seen.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers, body })
      const answer = answers[Math.min(seen.length, answers.length) - 1]!
      response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers })
      response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

export const openaiSays = (text: string, more: Record<string, unknown> = {}): { body: unknown } => ({
  body: {
    ...{ id: 'resp_1', object: 'response', model: 'gpt-6-luna-2026-09-22', status: 'completed', error: null },
    output: [
      { type: 'message', id: 'm', role: 'assistant', content: [{ type: 'output_text', text, annotations: [] }] },
    ],
    usage: {
      ...{ input_tokens: 1_000, output_tokens: 100, total_tokens: 1_100 },
      input_tokens_details: { cached_tokens: 600, cache_write_tokens: 0 },
    },
    ...more,
  },
})

export const anthropicSays = (text: string, more: Record<string, unknown> = {}): { body: unknown } => ({
  body: {
    ...{ id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-sonnet-5-5', stop_sequence: null },
    content: [
      { type: 'thinking', thinking: '', signature: 's' },
      { type: 'text', text },
    ],
    stop_reason: 'end_turn',
    usage: { input_tokens: 400, cache_read_input_tokens: 600, cache_creation_input_tokens: 0, output_tokens: 100 },
    ...more,
  },
})
