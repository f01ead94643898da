/** The language models as a provider of the effect worker: a call's request and output are JSON of events. */

import { z } from 'zod'
import type { Json } from '../../schemas/index.ts'
import type { CallOutcome, Provider, ProviderCall } from '../effects/port.ts'
import type { EmbedOutcome, EmbedRequest, Llm, LlmOutcome, LlmRequest, LlmUsage, ToolCall } from './port.ts'

export interface LlmProviderSettings {
  readonly llm: Llm
  readonly mode: Provider['mode']
  /** Token bucket of the account; null is unlimited. */
  readonly rate: Provider['rate']
  readonly concurrency: number
  /** Longer than any one vendor may take. */
  readonly timeoutMs: number
}

/** The `request` of a `complete`; tenant and attempt are the call's. */
export type LlmCallRequest = Omit<LlmRequest, 'tenantId' | 'attempt' | 'signal'>

/** The `output` of a `complete` that is ok. */
export interface LlmCallOutput {
  readonly text: string
  /** What fits the schema; null without one, or when tools are called. */
  readonly json: Json
  readonly tool_calls: readonly ToolCall[]
  readonly stop: 'end' | 'tools' | 'length'
  readonly model: string
  readonly vendor: 'openai' | 'anthropic'
  readonly usage: {
    readonly input_tokens: number
    readonly output_tokens: number
    readonly cached_input_tokens: number
    readonly cache_write_tokens: number
  }
  readonly price_version: string
}

/** The `request` of an `embed`. */
export type LlmEmbedRequest = Pick<EmbedRequest, 'texts'>

/** The `output` of an `embed` that is ok. */
export interface LlmEmbedOutput {
  /** One for each text, in their order: 32-bit floats, little end first, in base64. */
  readonly vectors: readonly string[]
  readonly dimensions: number
  readonly model: string
  readonly vendor: 'openai' | 'anthropic'
  readonly usage: LlmCallOutput['usage']
  readonly price_version: string
}

export function llmProvider(settings: LlmProviderSettings): Provider {
  const { llm, mode, rate, concurrency, timeoutMs } = settings
  return Object.freeze({
    name: 'llm',
    account: mode,
    mode,
    repeat: 'may-repeat' as const,
    rate,
    concurrency,
    timeoutMs,
    async call(call: ProviderCall): Promise<CallOutcome> {
      if (call.operation === 'embed') return embed(llm, call)
      if (call.operation !== 'complete') return refused('llm has no such operation')
      const read = requestShape.safeParse(call.request)
      if (!read.success) {
        const [issue] = read.error.issues
        return refused(`the request is not one of llm: ${issue?.path.join('.') || 'it'} is not as wanted`)
      }
      const { tenantId, attempt, signal } = call
      const outcome = await llm.complete({ ...(read.data as unknown as LlmCallRequest), tenantId, attempt, signal })
      return callOutcome(outcome, outputOf(outcome) as unknown as Json)
    },
  })
}

const refused = (error: string): CallOutcome => ({ class: 'invalid', status: 0, output: null, error })

const json = z.json()
const object = z.record(z.string(), json)
const toolCall = z.strictObject({ id: z.string(), name: z.string(), arguments: object })
const message = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('user'), content: z.string() }),
  z.strictObject({ role: z.literal('assistant'), content: z.string(), toolCalls: z.array(toolCall).optional() }),
  z.strictObject({
    role: z.literal('tool'),
    toolCallId: z.string(),
    content: z.string(),
    isError: z.boolean().optional(),
  }),
])
const requestShape = z.strictObject({
  system: z.string(),
  messages: z.array(message),
  tools: z.array(z.strictObject({ name: z.string(), description: z.string(), parameters: object })).optional(),
  schema: z.strictObject({ name: z.string(), schema: object }).optional(),
  maxOutputTokens: z.int(),
})

async function embed(llm: Llm, { request, tenantId, signal }: ProviderCall): Promise<CallOutcome> {
  const read = z.strictObject({ texts: z.array(z.string()) }).safeParse(request)
  if (!read.success) return refused('the request is not one of llm: texts are wanted')
  const outcome = await llm.embed({ texts: read.data.texts, tenantId, signal })
  const { vectors, usage, model, vendor, priceVersion } = outcome
  const output: LlmEmbedOutput = {
    vectors: vectors.map((vector) => {
      const bytes = Buffer.alloc(vector.length * 4)
      vector.forEach((value, n) => bytes.writeFloatLE(value, n * 4))
      return bytes.toString('base64')
    }),
    dimensions: vectors[0]?.length ?? 0,
    ...{ model, vendor: vendor ?? 'openai', usage: usageOf(usage), price_version: priceVersion },
  }
  return callOutcome(outcome, output as unknown as Json)
}

function callOutcome(outcome: LlmOutcome | EmbedOutcome, output: Json): CallOutcome {
  const { class: of, status, error, retryAfterMs, costMicrodollars } = outcome
  return {
    class: of,
    status,
    output: of === 'ok' ? output : null,
    costMicrodollars,
    ...(error === undefined ? {} : { error }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }
}

const usageOf = (usage: LlmUsage): LlmCallOutput['usage'] => ({
  input_tokens: usage.inputTokens,
  output_tokens: usage.outputTokens,
  cached_input_tokens: usage.cachedInputTokens,
  cache_write_tokens: usage.cacheWriteTokens,
})

function outputOf({ usage, ...told }: LlmOutcome): LlmCallOutput {
  return {
    text: told.text,
    json: told.json ?? null,
    tool_calls: told.toolCalls,
    stop: told.stop ?? 'end',
    model: told.model,
    vendor: told.vendor ?? 'openai',
    usage: usageOf(usage),
    price_version: told.priceVersion,
  }
}
