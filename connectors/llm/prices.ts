/**
 * What a model's tokens cost. Money is whole microdollars (a millionth of a US dollar); a price is microdollars for a
 * million tokens, so a cost is computed in integers and rounded up once, at its end.
 */

import type { LlmUsage } from './port.ts'

export interface TokenPrices {
  readonly input: number
  readonly cachedInput: number
  readonly cacheWrite: number
  readonly output: number
}

export interface ModelPrice extends TokenPrices {
  /** Other prices for the whole request when its input is longer. */
  readonly long?: TokenPrices & { readonly aboveInputTokens: number }
}

export interface PriceTable {
  /** Told with every cost, so that a later price does not rewrite what was paid. */
  readonly version: string
  readonly models: Readonly<Record<string, ModelPrice>>
}

/** A price of two figures: what a vendor's cache saves is not counted. */
export const flatPrice = (input: number, output: number): ModelPrice => {
  return { input, cachedInput: input, cacheWrite: input, output }
}

/**
 * What is reckoned with where the configuration names no price (`*_MODEL_PRICE`, `OPENAI_EMBEDDING_PRICE`): figures written
 * down on the day that is the version, not asked of anybody. They bound budgets; a bill is the vendor's.
 */
export const knownPrices: PriceTable = Object.freeze({
  version: '2026-11-26',
  models: {
    'gpt-6-luna': {
      ...{ input: 100_000, cachedInput: 10_000, cacheWrite: 125_000, output: 500_000 },
      long: { aboveInputTokens: 272_000, input: 200_000, cachedInput: 20_000, cacheWrite: 250_000, output: 750_000 },
    },
    'claude-sonnet-5-5': { input: 2_000_000, cachedInput: 200_000, cacheWrite: 2_500_000, output: 10_000_000 },
    'text-embedding-3-small': flatPrice(20_000, 0),
    'text-embedding-3-large': flatPrice(130_000, 0),
  },
})

export function costMicrodollars(price: ModelPrice, usage: LlmUsage): number {
  const { inputTokens, cachedInputTokens, cacheWriteTokens, outputTokens } = usage
  const { long } = price
  const per: TokenPrices = long !== undefined && inputTokens > long.aboveInputTokens ? long : price
  const plain = Math.max(0, inputTokens - cachedInputTokens - cacheWriteTokens)
  const millionths =
    BigInt(plain) * BigInt(per.input) +
    BigInt(cachedInputTokens) * BigInt(per.cachedInput) +
    BigInt(cacheWriteTokens) * BigInt(per.cacheWrite) +
    BigInt(outputTokens) * BigInt(per.output)
  return Number((millionths + 999_999n) / 1_000_000n)
}

/** More than a call comes to: every byte a token, at the dearest input price, and all output written. */
export function mostMicrodollars(price: ModelPrice, inputBytes: number, maxOutputTokens: number): number {
  const dearest = (of: TokenPrices): TokenPrices => flatPrice(Math.max(of.input, of.cacheWrite), of.output)
  const usage = { inputTokens: inputBytes, outputTokens: maxOutputTokens, cachedInputTokens: 0, cacheWriteTokens: 0 }
  const { long } = price
  return costMicrodollars(
    { ...dearest(price), ...(long === undefined ? {} : { long: { ...long, ...dearest(long) } }) } as ModelPrice,
    usage,
  )
}
