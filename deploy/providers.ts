/** The outside services: live where a key is configured, else the sandbox that ships with the product. */

import { join } from 'node:path'
import { codeReader } from '../api/index.ts'
import type { Provider } from '../connectors/effects/index.ts'
import { sendGridProvider } from '../connectors/mail/index.ts'
import { perplexityProvider, webScraperProvider } from '../connectors/research/index.ts'
import type { Sandbox } from '../connectors/sandbox/index.ts'
import { startSandbox } from '../connectors/sandbox/index.ts'
import type { ProviderConfig } from './config.ts'
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
  const { perplexity, webscraper, sendgrid } = foundation.config.providers
  const needsSandbox = [perplexity, webscraper, sendgrid].some((provider) => provider.mode === 'sandbox')
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
  ]
}

function settingsOf(
  name: 'perplexity' | 'webscraper' | 'sendgrid',
  config: ProviderConfig,
  addresses: ProviderAddresses | null,
) {
  const { mode, timeoutMs, concurrency, ratePerMinute } = config
  const baseUrl = config.baseUrl ?? addresses?.[name] ?? ''
  const rate = ratePerMinute === null ? null : { capacity: ratePerMinute, refillPerMs: ratePerMinute / 60_000 }
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
