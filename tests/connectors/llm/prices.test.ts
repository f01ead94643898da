import fc from 'fast-check'
import { expect, test } from 'vitest'
import { costMicrodollars, flatPrice, knownPrices } from '../../../connectors/llm/index.ts'
import { mostMicrodollars } from '../../../connectors/llm/prices.ts'

const usage = (inputTokens: number, outputTokens: number, cachedInputTokens = 0, cacheWriteTokens = 0) => {
  return { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens }
}
const luna = knownPrices.models['gpt-6-luna']!
const sonnet = knownPrices.models['claude-sonnet-5-5']!

test.each([
  ['a million in and out of luna', luna, usage(272_000, 1_000_000), 27_200 + 500_000],
  ['a long prompt of luna', luna, usage(300_000, 1_000), 60_000 + 750],
  ['a million in and out of sonnet', sonnet, usage(1_000_000, 1_000_000), 12_000_000],
  ['cached and written input', sonnet, usage(1_000, 0, 400, 100), 1_000 + 80 + 250],
  ['one token is rounded up once, not per kind', luna, usage(1, 1), 1],
  ['nothing costs nothing', sonnet, usage(0, 0), 0],
])('%s', (_, price, used, cost) => {
  expect(costMicrodollars(price, used)).toBe(cost)
})

test('a cost is whole, exact, and never below the true sum', () => {
  const tokens = fc.integer({ min: 0, max: 2_000_000 })
  fc.assert(
    fc.property(tokens, tokens, fc.integer({ min: 0, max: 10_000_000_000 }), (input, output, per) => {
      const cost = costMicrodollars(flatPrice(per, per + 1), usage(input, output))
      const millionths = BigInt(input) * BigInt(per) + BigInt(output) * BigInt(per + 1)
      expect(Number.isInteger(cost)).toBe(true)
      expect(BigInt(cost) * 1_000_000n >= millionths && BigInt(cost - 1) * 1_000_000n < millionths).toBe(true)
    }),
  )
})

test('the most a call can cost is no less than any cost of it', () => {
  const tokens = fc.integer({ min: 0, max: 1_000_000 })
  fc.assert(
    fc.property(fc.constantFrom(luna, sonnet), tokens, tokens, tokens, (price, bytes, most, part) => {
      const used = usage(bytes, Math.min(most, part), Math.min(bytes, part), Math.max(0, bytes - part))
      expect(mostMicrodollars(price, bytes, most)).toBeGreaterThanOrEqual(costMicrodollars(price, used))
    }),
  )
})
