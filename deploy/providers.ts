/** The outside services: live where a key is configured, else the sandbox that ships with the product. */

import { join } from 'node:path'
import { codeReader } from '../api/index.ts'
import { mixpanelProvider } from '../connectors/analytics/index.ts'
import type { Provider } from '../connectors/effects/index.ts'
import { shareLinks } from '../connectors/keys/index.ts'
import type { Llm, PriceTable } from '../connectors/llm/index.ts'
import { createLlm, knownPrices, llmProvider, sqlLedger } from '../connectors/llm/index.ts'
import { sendGridProvider } from '../connectors/mail/index.ts'
import { ownerReader } from '../connectors/owners/index.ts'
import { invoicePages, stripeProvider } from '../connectors/payments/index.ts'
import { perplexityProvider, webScraperProvider } from '../connectors/research/index.ts'
import { renderingProvider } from '../connectors/rendering/index.ts'
import type { Sandbox } from '../connectors/sandbox/index.ts'
import { startSandbox } from '../connectors/sandbox/index.ts'
import type { ObjectStore } from '../connectors/storage/index.ts'
import type { Config, LlmConfig, LlmVendorConfig, ProviderConfig } from './config.ts'
import type { Foundation, StreamFoundation } from './foundation.ts'
import { signatures } from './esign.ts'
import { machineClock } from './machine.ts'
import { sandboxWebhookSecret } from './webhooks.ts'
import { openObjectStore, readyOrLater } from './object-store.ts'
import type { ResidentSandbox } from './resident-sandbox.ts'
import { residentSandbox } from './resident-sandbox.ts'
import { WarpClock } from './warp/warp-clock.ts'

/** Where the pages of demos are served. */
export const demoPath = '/d'

/** Where the sandbox answers for the providers that are not live. */
export type ProviderAddresses = Sandbox['baseUrls']

export interface Providers {
  readonly list: readonly Provider[]
  /** Null when every provider is live, or in another process. */
  readonly sandbox: Sandbox | null
  /** The sandbox in another process. */
  readonly resident: ResidentSandbox | null
  readonly addresses: ProviderAddresses | null
  /** Documents and demos. */
  readonly objects: ObjectStore
  close(): Promise<void>
}

export async function openProviders(foundation: Foundation): Promise<Providers> {
  const { sandboxUrl, providers } = foundation.config
  const resident = sandboxUrl === null ? null : await caughtUpWith(residentSandbox(sandboxUrl), foundation)
  const needsSandbox = resident === null && Object.values(providers).some(({ mode }) => mode === 'sandbox')
  const objects = openObjectStore(foundation.config)
  await readyOrLater(objects)
  const sandbox = needsSandbox
    ? await startSandbox({
        directory: join(foundation.config.dataDir, 'sandbox'),
        clock: foundation.time,
        realNow: () => machineClock.now(),
        webhookSecret: sandboxWebhookSecret(foundation.secrets),
      })
    : null
  const addresses = (resident ?? sandbox)?.baseUrls ?? null
  const close = async (): Promise<void> => {
    objects.close()
    await sandbox?.close()
  }
  return { list: providersAt(foundation, addresses, objects), sandbox, resident, addresses, objects, close }
}

/** It may have been told of a jump that we died before noting. */
async function caughtUpWith(resident: ResidentSandbox, { time }: Foundation): Promise<ResidentSandbox> {
  const { now } = await resident.follow(time.now())
  if (time instanceof WarpClock) time.jumpTo(now)
  return resident
}

/** @param addresses of the sandbox; null when every provider is live */
export function providersAt(
  foundation: StreamFoundation,
  addresses: ProviderAddresses | null,
  objects: ObjectStore,
): readonly Provider[] {
  const { perplexity, webscraper, sendgrid, stripe, mixpanel } = foundation.config.providers
  const readCode = codeReader(foundation.pools.effects, Buffer.from(foundation.secrets.code))
  return [
    perplexityProvider(settingsOf('perplexity', perplexity, addresses)),
    webScraperProvider(settingsOf('webscraper', webscraper, addresses)),
    sendGridProvider({
      ...settingsOf('sendgrid', sendgrid, addresses),
      from: sendgrid.from,
      resolve: referred(invoicePages(settingsOf('stripe', stripe, addresses)), (codeRef) => mailOf(readCode, codeRef)),
    }),
    mixpanelOf(mixpanel, addresses),
    renderingProvider({
      store: objects,
      sellerName: sendgrid.from.name,
      shareLink: shareLinkOf(foundation),
      concurrency: 4,
      timeoutMs: 60_000,
    }),
    stripeProvider({
      ...settingsOf('stripe', stripe, addresses),
      resolveOwner: ownerReader(foundation.pools.effects),
    }),
    languageModels(foundation, addresses),
    signatures(foundation, addresses?.docusign ?? null, objects),
  ]
}

/** Where a demo is shown, under a token that the pages open again. */
function shareLinkOf({ secrets, config }: StreamFoundation) {
  const links = shareLinks(secrets.code)
  return (tenantId: string, demoId: string) => {
    const share_token = links.seal({ tenantId, demoId })
    return { share_token, url: `${config.http.publicUrl}${demoPath}/${share_token}` }
  }
}

function mixpanelOf(config: Config['providers']['mixpanel'], addresses: ProviderAddresses | null): Provider {
  const { apiKey: credential, ...settings } = settingsOf('mixpanel', config, addresses)
  return mixpanelProvider({ ...settings, credential, projectId: config.projectId })
}

function languageModels(foundation: StreamFoundation, addresses: ProviderAddresses | null): Provider {
  const { llm } = foundation.config.providers
  const vendors = [llm.openai, llm.anthropic].filter((vendor) => vendor !== null)
  return llmProvider({
    llm: modelOf(foundation, addresses, 1),
    mode: llm.mode,
    rate: rateOf(llm.ratePerMinute),
    concurrency: llm.concurrency,
    timeoutMs: Math.max(...vendors.map(({ timeoutMs }) => timeoutMs)) + 15_000, // the ledger is asked around the call
  })
}

/**
 * What visitors of a demo talk with. Anybody with the link may ask, so once a tenant's day has come to their share of its
 * budget they are told no, and the rest is left for what the tenant's own lifecycle asks.
 */
export function visitorsModelAt(foundation: StreamFoundation, addresses: ProviderAddresses | null): Llm {
  return modelOf(foundation, addresses, foundation.config.providers.llm.visitorsPercent / 100)
}

/** @param budgetShare up to which part of its budget of a day a tenant's calls are made */
function modelOf(foundation: StreamFoundation, addresses: ProviderAddresses | null, budgetShare: number): Llm {
  const { llm } = foundation.config.providers
  const { openai, anthropic, primaryAttempts, effort, tenantDailyBudgetMicrodollars: tenantDaily } = llm
  const ledger = sqlLedger(foundation.pools.effects)
  return createLlm({
    openai: vendorSettings('openai', openai, addresses),
    anthropic: vendorSettings('anthropic', anthropic, addresses),
    primaryAttempts,
    effort,
    embedding: openai === null ? null : { model: llm.embeddingModel },
    prices: pricesOf(llm),
    budget: tenantDaily === null ? null : { ledger, tenantDailyMicrodollars: Math.floor(tenantDaily * budgetShare) },
    now: () => machineClock.now(),
    // A warped month has the budgets of its days: it is in the sandbox, where nothing is paid.
    time: () => foundation.time.now(),
  })
}

/** The prices that the configuration names, and those of the table for the rest. */
export function pricesOf({ openai, anthropic, embeddingModel, embeddingPrice }: LlmConfig): PriceTable {
  const priced = [openai, anthropic, { model: embeddingModel, price: embeddingPrice }]
  const given = priced.flatMap((each) => (each === null || each.price === null ? [] : [[each.model, each.price]]))
  return { version: knownPrices.version, models: { ...knownPrices.models, ...Object.fromEntries(given) } }
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
  name: 'perplexity' | 'webscraper' | 'sendgrid' | 'stripe' | 'mixpanel',
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

/** What a letter carries by its reference: the page of an invoice, or a code. */
function referred(invoicePage: ReturnType<typeof invoicePages>, code: (codeRef: string) => ReturnType<typeof mailOf>) {
  const invoices = 'stripe.invoices:'
  return (tenantId: string, dataRef: string) =>
    dataRef.startsWith(invoices) ? invoicePage(tenantId, dataRef.slice(invoices.length)) : code(dataRef)
}

/** What the verification mail says: read only when it is sent. */
async function mailOf(
  readCode: ReturnType<typeof codeReader>,
  codeRef: string,
): Promise<{ to: string; code: string } | null> {
  const found = await readCode(codeRef)
  return found === null ? null : { to: found.recipient, code: found.code }
}
