/**
 * Language models of two vendors behind one call, for processes of anybody: it stands on their SDKs, retries nothing, and
 * says what happened as a value.
 *
 *   const llm = createLlm({
 *     openai: { baseUrl, apiKey, model: 'gpt-6-luna', timeoutMs: 60_000 },
 *     anthropic: { baseUrl, apiKey, model: 'claude-sonnet-5-5', timeoutMs: 60_000 },
 *     budget: { ledger: memoryLedger(), tenantDailyMicrodollars: 5_000_000 },
 *     now: () => Date.now(),
 *   })
 *   const { class: of, text, retryAfterMs } = await llm.complete({
 *     system: 'Be brief.', messages: [{ role: 'user', content: 'Hello' }],
 *     maxOutputTokens: 500, tenantId, attempt: 1, signal,
 *   })
 */
export type * from './port.ts'
export type { BreakerSettings } from './breaker.ts'
export { breakerDefaults } from './breaker.ts'
export type { LlmSettings } from './llm.ts'
export { LlmSettingsError, createLlm } from './llm.ts'
export type { ModelPrice, PriceTable, TokenPrices } from './prices.ts'
export { costMicrodollars, flatPrice, knownPrices } from './prices.ts'
export type { LlmCallOutput, LlmCallRequest, LlmEmbedOutput, LlmEmbedRequest, LlmProviderSettings } from './provider.ts'
export { llmProvider } from './provider.ts'
export type { Budget, Reservation, SpendLedger } from './spend.ts'
export { dayOf, memoryLedger } from './spend.ts'
export { forgetSpend, sqlLedger } from './sql-spend.ts'
export type { VendorSettings } from './vendor.ts'
