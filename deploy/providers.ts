/** The outside services: live where a key is configured, else the sandbox that ships with the product. */

import { join } from 'node:path'
import { codeReader } from '../api/index.ts'
import type { Provider } from '../connectors/effects/index.ts'
import { createLlm, knownPrices, llmProvider, sqlLedger } from '../connectors/llm/index.ts'
import { sendGridProvider } from '../connectors/mail/index.ts'
import { perplexityProvider, webScraperProvider } from '../connectors/research/index.ts'
import type { Sandbox } from '../connectors/sandbox/index.ts'
import { startSandbox } from '../connectors/sandbox/index.ts'
import type { LlmVendorConfig, ProviderConfig } from './config.ts'
import type { Foundation, StreamFoundation } from './foundation.ts'
import { machineClock } from './machine.ts'

/** Where the sandbox answers for the providers that are not live. */
export type ProviderAddresses = Sandbox['baseUrls']

export interface Providers {
  readonly list: readonly Provider[]
  /** Null when every provider is live. */
  readonly sandbox: Sandbox | null
  readonly addresses: ProviderAddresses | null
  close(): Promise<void>
}

export async function openProviders(foundation: Foundation): Promise<Providers> {
  const needsSandbox = Object.values(foundation.config.providers).some(({ mode }) => mode === 'sandbox')
  const sandbox = needsSandbox
    ? await startSandbox({
        directory: join(foundation.config.dataDir, 'sandbox'),
        clock: foundation.time,
        realNow: () => machineClock.now(),
      })
    : null
  const addresses = sandbox?.baseUrls ?? null
  return { list: providersAt(foundation, addresses), sandbox, addresses, close: async () => sandbox?.close() }
}

/** @param addresses of the sandbox; null when every provider is live */
export function providersAt(foundation: StreamFoundation, addresses: ProviderAddresses | null): readonly Provider[] {
  const { perplexity, webscraper, sendgrid } = foundation.config.providers
  const readCode = codeReader(foundation.pools.effects, Buffer.from(foundation.secrets.code))
  return [
    perplexityProvider(settingsOf('perplexity', perplexity, addresses)),
    webScraperProvider(settingsOf('webscraper', webscraper, addresses)),
    sendGridProvider({
      ...settingsOf('sendgrid', sendgrid, addresses),
      from: sendgrid.from,
      resolve: (_, codeRef) => mailOf(readCode, codeRef),
    }),
    languageModels(foundation, addresses),
  ]
}

function languageModels(foundation: StreamFoundation, addresses: ProviderAddresses | null): Provider {
  const { llm } = foundation.config.providers
  const { openai, anthropic, primaryAttempts, effort, tenantDailyBudgetMicrodollars: tenantDailyMicrodollars } = llm
  const vendors = [openai, anthropic].filter((vendor) => vendor !== null)
  const given = Object.fromEntries(vendors.flatMap(({ model, price }) => (price === null ? [] : [[model, price]])))
  const ledger = sqlLedger(foundation.pools.effects)
  return llmProvider({
    llm: createLlm({
      openai: vendorSettings('openai', openai, addresses),
      anthropic: vendorSettings('anthropic', anthropic, addresses),
      primaryAttempts,
      effort,
      embedding: openai === null ? null : { model: llm.embeddingModel },
      prices: { version: knownPrices.version, models: { ...knownPrices.models, ...given } },
      budget: tenantDailyMicrodollars === null ? null : { ledger, tenantDailyMicrodollars },
      now: () => machineClock.now(),
    }),
    mode: llm.mode,
    rate: rateOf(llm.ratePerMinute),
    concurrency: llm.concurrency,
    timeoutMs: Math.max(...vendors.map(({ timeoutMs }) => timeoutMs)) + 15_000, // the ledger is asked around the call
  })
}

const vendorSettings = (
  name: 'openai' | 'anthropic',
  config: LlmVendorConfig | null,
  addresses: ProviderAddresses | null,
) =>
  config === null
    ? null
    : {
        baseUrl: config.baseUrl ?? addresses?.[name] ?? '',
        apiKey: config.apiKey ?? 'sandbox',
        model: config.model,
        timeoutMs: config.timeoutMs,
      }

const rateOf = (ratePerMinute: number | null): Provider['rate'] =>
  ratePerMinute === null ? null : { capacity: ratePerMinute, refillPerMs: ratePerMinute / 60_000 }

function settingsOf(
  name: 'perplexity' | 'webscraper' | 'sendgrid',
  config: ProviderConfig,
  addresses: ProviderAddresses | null,
) {
  const { mode, timeoutMs, concurrency, ratePerMinute } = config
  const baseUrl = config.baseUrl ?? addresses?.[name] ?? ''
  const rate = rateOf(ratePerMinute)
  return {
    mode,
    timeoutMs,
    concurrency,
    baseUrl,
    apiKey: config.apiKey ?? 'sandbox',
    rate,
    now: () => machineClock.now(),
  }
}

/** What the verification mail says: read only when it is sent. */
async function mailOf(
  readCode: ReturnType<typeof codeReader>,
  codeRef: string,
): Promise<{ to: string; code: string } | null> {
  const found = await readCode(codeRef)
  return found === null ? null : { to: found.recipient, code: found.code }
}
