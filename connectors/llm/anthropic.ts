/** Anthropic's Messages API. No sampling parameters: it refuses them. The SDK tries once: retries are the caller's. */

import Anthropic from '@anthropic-ai/sdk'
import type { MessageCreateParamsNonStreaming, MessageParam } from '@anthropic-ai/sdk/resources/messages'
import { z } from 'zod'
import type { LlmMessage, LlmRequest } from './port.ts'
import { vendorSchema } from './schema.ts'
import type { SdkError, VendorAnswer, VendorClient, VendorFailure, VendorOptions } from './vendor.ts'
import { boundedFetch, exchange, failure, unreadable } from './vendor.ts'

export function anthropicClient(options: VendorOptions): VendorClient {
  // Everything the SDK would look up in the environment is told here.
  const client = new Anthropic({
    apiKey: options.apiKey,
    authToken: null,
    webhookKey: null,
    baseURL: options.baseUrl,
    logLevel: 'off',
    maxRetries: 0,
    timeout: options.timeoutMs,
    fetch: boundedFetch(options.maxBytes),
  })
  return {
    name: 'anthropic',
    model: options.model,
    async ask(request) {
      const body = wireRequest(options, request)
      const got = await exchange(
        'anthropic',
        options,
        request.signal,
        (signal) => client.messages.create(body, { signal }).asResponse(),
        judge,
      )
      return got.kind === 'failure' ? got : read(got.body)
    },
  }
}

const judge = {
  isSdkError: (thrown: unknown): SdkError | null => (thrown instanceof Anthropic.APIError ? thrown : null),
  quota: (thrown: unknown): boolean =>
    thrown instanceof Anthropic.APIError && thrown.errorCode === 'enforced_spend_limit_reached',
  code: (thrown: unknown): unknown =>
    thrown instanceof Anthropic.APIError ? (thrown.errorCode ?? thrown.type) : undefined,
}

function wireRequest(options: VendorOptions, request: LlmRequest): MessageCreateParamsNonStreaming {
  const { tools, schema } = request
  const output = {
    ...(options.effort === null ? {} : { effort: options.effort }),
    ...(schema === undefined
      ? {}
      : { format: { type: 'json_schema' as const, schema: vendorSchema('anthropic', schema.schema) } }),
  }
  return {
    model: options.model,
    max_tokens: request.maxOutputTokens,
    ...(request.system === '' ? {} : { system: request.system }),
    messages: turns(request.messages),
    ...(Object.keys(output).length === 0 ? {} : { output_config: output }),
    ...(tools === undefined || tools.length === 0
      ? {}
      : {
          tools: tools.map(({ name, description, parameters }) => ({
            name,
            description,
            input_schema: vendorSchema('anthropic', parameters) as { type: 'object' },
            strict: true,
          })),
        }),
  }
}

/** The results of calls made together are one turn of the user's. */
function turns(messages: readonly LlmMessage[]): MessageParam[] {
  const told: MessageParam[] = []
  let results: Anthropic.ToolResultBlockParam[] | null = null
  for (const message of messages) {
    if (message.role === 'tool') {
      if (results === null) told.push({ role: 'user', content: (results = []) })
      const { toolCallId, content, isError } = message
      results.push({
        type: 'tool_result',
        tool_use_id: toolCallId,
        content,
        ...(isError === true ? { is_error: true } : {}),
      })
      continue
    }
    results = null
    told.push(turn(message))
  }
  return told
}

function turn(message: Exclude<LlmMessage, { role: 'tool' }>): MessageParam {
  const calls = message.role === 'assistant' ? (message.toolCalls ?? []) : []
  if (calls.length === 0) return { role: message.role, content: message.content }
  return {
    role: 'assistant',
    content: [
      ...(message.content === '' ? [] : [{ type: 'text' as const, text: message.content }]),
      ...calls.map(({ id, name, arguments: input }) => ({ type: 'tool_use' as const, id, name, input })),
    ],
  }
}

const count = z.int().min(0)
const block = z.union([
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('tool_use'), id: z.string(), name: z.string(), input: z.record(z.string(), z.unknown()) }),
  z.object({ type: z.string() }),
])
const shape = z.object({
  type: z.literal('message'),
  model: z.string(),
  content: z.array(block),
  stop_reason: z.string(),
  usage: z.object({
    input_tokens: count,
    cache_read_input_tokens: count.nullish(),
    cache_creation_input_tokens: count.nullish(),
    output_tokens: count,
  }),
})

function read(body: unknown): VendorAnswer | VendorFailure {
  const parsed = shape.safeParse(body)
  if (!parsed.success) return unreadable('anthropic', 200)
  const { model, content, stop_reason: reason, usage: told } = parsed.data
  const [cachedInputTokens, cacheWriteTokens] = [
    told.cache_read_input_tokens ?? 0,
    told.cache_creation_input_tokens ?? 0,
  ]
  const inputTokens = told.input_tokens + cachedInputTokens + cacheWriteTokens
  const usage = { inputTokens, outputTokens: told.output_tokens, cachedInputTokens, cacheWriteTokens }
  if (reason === 'refusal') return failure('invalid', 200, 'anthropic refused to answer', { usage })
  if (reason === 'model_context_window_exceeded')
    return failure('invalid', 200, 'anthropic had no room left for its answer (model_context_window_exceeded)', {
      usage,
    })
  const stop = stops[reason]
  if (stop === undefined) return failure('retry', 200, 'anthropic stopped in the middle of its answer', { usage })
  return {
    kind: 'answer',
    text: content.map((part) => ('text' in part ? part.text : '')).join(''),
    calls: content.flatMap((part) =>
      'input' in part ? [{ id: part.id, name: part.name, arguments: JSON.stringify(part.input) }] : [],
    ),
    stop,
    usage,
    model,
  }
}

const stops: Readonly<Record<string, VendorAnswer['stop']>> = {
  end_turn: 'end',
  stop_sequence: 'end',
  tool_use: 'tools',
  max_tokens: 'length',
}
