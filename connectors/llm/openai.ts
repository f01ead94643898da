/** OpenAI's Responses API. Nothing is kept there (`store: false`), and the SDK tries once: retries are the caller's. */

import OpenAI from 'openai'
import type { ResponseCreateParamsNonStreaming, ResponseInputItem } from 'openai/resources/responses/responses'
import { z } from 'zod'
import type { LlmMessage, LlmRequest, LlmUsage } from './port.ts'
import { noUsage } from './port.ts'
import { vendorSchema } from './schema.ts'
import type { SdkError, VendorAnswer, VendorClient, VendorEmbedding, VendorFailure, VendorOptions } from './vendor.ts'
import { boundedFetch, exchange, failure, unreadable } from './vendor.ts'

export function openaiClient(options: VendorOptions): VendorClient {
  // Everything the SDK would look up in the environment is told here.
  const client = new OpenAI({
    apiKey: options.apiKey,
    baseURL: options.baseUrl,
    organization: null,
    project: null,
    adminAPIKey: null,
    webhookSecret: null,
    logLevel: 'off',
    maxRetries: 0,
    timeout: options.timeoutMs,
    fetch: boundedFetch(options.maxBytes),
  })
  return {
    name: 'openai',
    model: options.model,
    async ask(request) {
      const body = wireRequest(options, request)
      const got = await exchange(
        'openai',
        options,
        request.signal,
        (signal) => client.responses.create(body, { signal }).asResponse(),
        judge,
      )
      return got.kind === 'failure' ? got : read(got.body)
    },
    async embed({ model, dimensions, texts, signal }) {
      const body = {
        ...{ model, input: [...texts], encoding_format: 'base64' as const },
        ...(dimensions === undefined ? {} : { dimensions }),
      }
      const got = await exchange(
        'openai',
        options,
        signal,
        (until) => client.embeddings.create(body, { signal: until }).asResponse(),
        judge,
      )
      return got.kind === 'failure' ? got : readEmbedding(got.body, texts.length)
    },
  }
}

const judge = {
  isSdkError: (thrown: unknown): SdkError | null => (thrown instanceof OpenAI.APIError ? thrown : null),
  quota: (thrown: unknown): boolean => thrown instanceof OpenAI.APIError && quotaCodes.has(codeOf(thrown)),
  code: (thrown: unknown): unknown => (thrown instanceof OpenAI.APIError ? codeOf(thrown) : undefined),
}
const codeOf = (error: InstanceType<typeof OpenAI.APIError>): string => error.code ?? error.type ?? ''
const quotaCodes: ReadonlySet<string> = new Set(['insufficient_quota', 'billing_hard_limit_reached'])

function wireRequest(options: VendorOptions, request: LlmRequest): ResponseCreateParamsNonStreaming {
  const { tools, schema } = request
  return {
    model: options.model,
    instructions: request.system,
    input: request.messages.flatMap(inputItems),
    max_output_tokens: request.maxOutputTokens,
    store: false,
    ...(options.effort === null ? {} : { reasoning: { effort: options.effort } }),
    ...(tools === undefined || tools.length === 0
      ? {}
      : {
          tools: tools.map(({ name, description, parameters }) => ({
            type: 'function' as const,
            name,
            description,
            parameters: vendorSchema('openai', parameters),
            strict: true,
          })),
        }),
    ...(schema === undefined
      ? {}
      : {
          text: {
            format: {
              type: 'json_schema' as const,
              name: schema.name,
              schema: vendorSchema('openai', schema.schema),
              strict: true,
            },
          },
        }),
  }
}

function inputItems(message: LlmMessage): ResponseInputItem[] {
  if (message.role === 'tool')
    return [
      {
        type: 'function_call_output',
        call_id: message.toolCallId,
        output: message.isError === true ? `Error: ${message.content}` : message.content,
      },
    ]
  const said: ResponseInputItem[] = message.content === '' ? [] : [{ role: message.role, content: message.content }]
  if (message.role === 'user') return said
  const calls = message.toolCalls ?? []
  return [
    ...said,
    ...calls.map((call) => ({
      type: 'function_call' as const,
      call_id: call.id,
      name: call.name,
      arguments: JSON.stringify(call.arguments),
    })),
  ]
}

const count = z.int().min(0)
const usageShape = z.object({
  input_tokens: count,
  input_tokens_details: z.object({ cached_tokens: count.default(0), cache_write_tokens: count.default(0) }).nullish(),
  output_tokens: count,
})
const contentPart = z.union([
  z.object({ type: z.literal('output_text'), text: z.string() }),
  z.object({ type: z.literal('refusal'), refusal: z.string() }),
  z.object({ type: z.string() }),
])
const outputItem = z.union([
  z.object({ type: z.literal('message'), content: z.array(contentPart) }),
  z.object({ type: z.literal('function_call'), call_id: z.string(), name: z.string(), arguments: z.string() }),
  z.object({ type: z.string() }),
])
const shape = z.object({
  status: z.string(),
  model: z.string(),
  output: z.array(outputItem),
  usage: usageShape.nullish(),
  error: z.object({ code: z.string() }).nullish(),
  incomplete_details: z.object({ reason: z.string().nullish() }).nullish(),
})

function read(body: unknown): VendorAnswer | VendorFailure {
  const parsed = shape.safeParse(body)
  if (!parsed.success) return unreadable('openai', 200)
  const { status, model, output, error, incomplete_details: cut } = parsed.data
  const usage = usageOf(parsed.data.usage)
  const told = usage === undefined ? { maybePaid: true } : { usage }
  if (status === 'failed') return failedInside(error?.code ?? '', told)
  const parts = output.flatMap((item) => ('content' in item ? item.content : []))
  if (parts.some((part) => 'refusal' in part)) return failure('invalid', 200, 'openai refused to answer', told)
  if (status === 'incomplete' && cut?.reason === 'content_filter')
    return failure('invalid', 200, 'openai withheld its answer (content_filter)', told)
  if ((status !== 'completed' && status !== 'incomplete') || usage === undefined) return unreadable('openai', 200)
  const calls = output.flatMap((item) => ('call_id' in item ? [item] : []))
  return {
    kind: 'answer',
    text: parts.map((part) => ('text' in part ? part.text : '')).join(''),
    calls: calls.map(({ call_id, name, arguments: given }) => ({ id: call_id, name, arguments: given })),
    stop: status === 'incomplete' ? 'length' : calls.length > 0 ? 'tools' : 'end',
    usage,
    model,
  }
}

const embeddingShape = z.object({
  model: z.string(),
  data: z.array(z.object({ index: count, embedding: z.union([z.base64(), z.array(z.number())]) })),
  usage: z.object({ prompt_tokens: count }),
})

function readEmbedding(body: unknown, texts: number): VendorEmbedding | VendorFailure {
  const parsed = embeddingShape.safeParse(body)
  if (!parsed.success) return unreadable('openai', 200)
  const { model, data, usage } = parsed.data
  const vectors = data.toSorted((a, b) => a.index - b.index).map(({ embedding }) => vectorOf(embedding))
  const whole =
    new Set(data.map(({ index }) => index)).size === texts &&
    vectors.length === texts &&
    vectors.every((vector) => vector.length > 0 && vector.length === vectors[0]!.length)
  if (!whole) return unreadable('openai', 200)
  return { kind: 'embedding', model, vectors, usage: { ...noUsage, inputTokens: usage.prompt_tokens } }
}

/** 32-bit floats, little end first, in base64; a server that answers numbers is understood too. */
function vectorOf(embedding: string | readonly number[]): Float32Array {
  if (typeof embedding !== 'string') return Float32Array.from(embedding)
  const bytes = Buffer.from(embedding, 'base64')
  return Float32Array.from({ length: Math.floor(bytes.length / 4) }, (_, n) => bytes.readFloatLE(4 * n))
}

/** A response that is `failed` inside a 200: what names a fault of ours, or a rule of theirs, is not tried again. */
function failedInside(code: string, told: Partial<VendorFailure>): VendorFailure {
  const named = quotaCodes.has(code) ? 'quota' : /^invalid|_policy|_mismatch$/.test(code) ? 'invalid' : 'retry'
  const shown = /^[a-z0-9_]{1,64}$/.test(code) ? ` (${code})` : ''
  return failure(named, 200, `openai could not finish its answer${shown}`, told)
}

function usageOf(told: z.infer<typeof usageShape> | null | undefined): LlmUsage | undefined {
  if (told == null) return undefined
  return {
    inputTokens: told.input_tokens,
    outputTokens: told.output_tokens,
    cachedInputTokens: told.input_tokens_details?.cached_tokens ?? 0,
    cacheWriteTokens: told.input_tokens_details?.cache_write_tokens ?? 0,
  }
}
