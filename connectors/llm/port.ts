/** What may be asked of a language model, and what comes back: one shape for every vendor. */

import type { Json } from '../../schemas/index.ts'
import type { CallClass } from '../effects/port.ts'

export const vendors = ['openai', 'anthropic'] as const
export type Vendor = (typeof vendors)[number]

export interface ToolCall {
  /** The vendor's own; its result names it. */
  readonly id: string
  readonly name: string
  readonly arguments: { readonly [name: string]: Json }
}

export type LlmMessage =
  | { readonly role: 'user'; readonly content: string }
  | { readonly role: 'assistant'; readonly content: string; readonly toolCalls?: readonly ToolCall[] }
  | { readonly role: 'tool'; readonly toolCallId: string; readonly content: string; readonly isError?: boolean }

/** A JSON schema of an object; every property is required, one that may be missing says null among its types. */
export type JsonSchema = { readonly [keyword: string]: Json }

export interface LlmTool {
  /** Letters, digits, `_` and `-`. */
  readonly name: string
  readonly description: string
  readonly parameters: JsonSchema
}

export interface LlmRequest {
  readonly system: string
  /** Not empty; the last is of the user or of a tool. */
  readonly messages: readonly LlmMessage[]
  readonly tools?: readonly LlmTool[]
  /** The answer is JSON of this shape. */
  readonly schema?: { readonly name: string; readonly schema: JsonSchema }
  /** What the model may write, its thinking included; from 16. */
  readonly maxOutputTokens: number
  readonly tenantId: string
  /** From 1; the first ones ask one vendor, later ones the other. */
  readonly attempt: number
  readonly signal: AbortSignal
}

export interface LlmUsage {
  /** All input, also what a cache of the vendor's served or kept. */
  readonly inputTokens: number
  readonly outputTokens: number
  /** Of the input: read from the vendor's cache. */
  readonly cachedInputTokens: number
  /** Of the input: written to the vendor's cache. */
  readonly cacheWriteTokens: number
}

export interface LlmOutcome {
  /**
   * ok · retry (also an answer that is not of the schema) · auth · quota (the account's, or the tenant's budget) · invalid
   * (also a refusal).
   */
  readonly class: CallClass
  /** HTTP status; 0 when none came. */
  readonly status: number
  readonly text: string
  /** The text as JSON that fits the schema; only with a schema, only in an `ok`, and not when tools are called. */
  readonly json?: Json
  readonly toolCalls: readonly ToolCall[]
  /** Why the model stopped: it was done, it calls tools, or it came to `maxOutputTokens`. Null without an answer. */
  readonly stop: 'end' | 'tools' | 'length' | null
  readonly usage: LlmUsage
  /** As the vendor names it; empty when nobody answered. */
  readonly model: string
  /** Null when nobody was asked. */
  readonly vendor: Vendor | null
  /** By the price table at the time of the call, rounded up. */
  readonly costMicrodollars: number
  /** Which price table that was. */
  readonly priceVersion: string
  readonly retryAfterMs?: number
  /** Plain words, nothing that was asked or answered; for a class other than ok. */
  readonly error?: string
}

export interface EmbedRequest {
  /** From 1 to 2048, none empty. */
  readonly texts: readonly string[]
  readonly tenantId: string
  readonly signal: AbortSignal
}

/** The fields are those of `LlmOutcome`. */
export interface EmbedOutcome extends Pick<
  LlmOutcome,
  'class' | 'status' | 'usage' | 'model' | 'vendor' | 'costMicrodollars' | 'priceVersion' | 'retryAfterMs' | 'error'
> {
  /** One for each text, in their order; empty unless ok. */
  readonly vectors: readonly Float32Array[]
}

export interface Llm {
  /** Never throws for what a vendor, the network or the ledger did: that is an outcome. It asks once. */
  complete(request: LlmRequest): Promise<LlmOutcome>
  /** Vectors of texts, in the same way. OpenAI alone has them: vectors of two models do not compare. */
  embed(request: EmbedRequest): Promise<EmbedOutcome>
}

export const noUsage: LlmUsage = Object.freeze({
  inputTokens: 0,
  outputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
})
