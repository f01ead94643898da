/** The outside services: live where a key is configured, else the sandbox that ships with the product. */

import { join } from 'node:path'
import { codeReader } from '../api/index.ts'
import type { Provider } from '../connectors/effects/index.ts'
import { sendGridProvider } from '../connectors/mail/index.ts'
import { perplexityProvider, webScraperProvider } from '../connectors/research/index.ts'
import type { Sandbox } from '../connectors/sandbox/index.ts'
import { startSandbox } from '../connectors/sandbox/index.ts'
import type { ProviderConfig } from './config.ts'
import type { Foundation } from './foundation.ts'
import { machineClock } from './machine.ts'

export interface Providers {
  readonly list: readonly Provider[]
  /** Null when every provider is live. */
  readonly sandbox: Sandbox | null
  close(): Promise<void>
}

export async function openProviders(foundation: Foundation): Promise<Providers> {
  const { perplexity, webscraper, sendgrid } = foundation.config.providers
  const needsSandbox = [perplexity, webscraper, sendgrid].some((provider) => provider.mode === 'sandbox')
  const sandbox = needsSandbox
    ? await startSandbox({ directory: join(foundation.config.dataDir, 'sandbox'), clock: machineClock })
    : null
  const readCode = codeReader(foundation.pools.effects, Buffer.from(foundation.secrets.code))
  const list = [
    perplexityProvider(settingsOf('perplexity', perplexity, sandbox)),
    webScraperProvider(settingsOf('webscraper', webscraper, sandbox)),
    sendGridProvider({
      ...settingsOf('sendgrid', sendgrid, sandbox),
      from: sendgrid.from,
      resolve: (_, codeRef) => mailOf(readCode, codeRef),
    }),
  ]
  return { list, sandbox, close: async () => sandbox?.close() }
}

function settingsOf(name: 'perplexity' | 'webscraper' | 'sendgrid', config: ProviderConfig, sandbox: Sandbox | null) {
  const { mode, timeoutMs, concurrency, ratePerMinute } = config
  const baseUrl = config.baseUrl ?? sandbox?.baseUrls[name] ?? ''
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
