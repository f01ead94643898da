/** The providers as the product wires them: each tenant's language-model calls are paid from its own budget, in SQL. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Stripe from 'stripe'
import { expect, test } from 'vitest'
import type { LlmCallRequest } from '../../connectors/llm/index.ts'
import { dayOf, sqlLedger } from '../../connectors/llm/index.ts'
import { openPool } from '../../connectors/postgres/index.ts'
import { startSandbox } from '../../connectors/sandbox/index.ts'
import type { Environment } from '../../deploy/config.ts'
import { readConfig } from '../../deploy/config.ts'
import type { StreamFoundation } from '../../deploy/foundation.ts'
import { scratchDatabase } from '../../deploy/local/scratch-database.ts'
import { machineClock } from '../../deploy/machine.ts'
import { openObjectStore } from '../../deploy/object-store.ts'
import { providersAt, visitorsModelAt } from '../../deploy/providers.ts'
import type { Json } from '../../schemas/index.ts'
import { openaiSays, scripted } from '../connectors/llm/start.ts'
import { call } from '../connectors/sandbox/start.ts'

const tenants = ['0a000000-0000-4000-8000-00000000000a', '0a000000-0000-4000-8000-00000000000b']
const request: LlmCallRequest = {
  system: 'Be brief.',
  messages: [{ role: 'user', content: 'Good day' }],
  maxOutputTokens: 100,
}

function configOf(environment: Environment) {
  const read = readConfig(environment)
  if ('errors' in read) throw new Error(read.errors.join('\n'))
  return read.config
}

/** A sandbox, and what is wired to it under this environment. @param databaseUrl of the role that effects have */
async function practice(environment: Environment, databaseUrl = 'postgres://nobody.invalid/none') {
  const effects = openPool(databaseUrl, { applicationName: 'test-effects' })
  const directory = await mkdtemp(join(tmpdir(), 'providers-'))
  const sandbox = await startSandbox({ directory, clock: machineClock })
  const config = configOf(environment)
  const foundation = {
    ...{ config, time: machineClock, pools: { effects }, secrets: { code: 'c'.repeat(32) } },
  } as unknown as StreamFoundation
  const providers = providersAt(foundation, sandbox.baseUrls, openObjectStore(config))
  return {
    ...{ sandbox, effects, foundation },
    provider: (of: string) => providers.find(({ name }) => name === of)!,
    async [Symbol.asyncDispose]() {
      await sandbox.close()
      await effects.end()
      await rm(directory, { recursive: true })
    },
  }
}

test('language models answer out of the sandbox, within the budget of their tenant', async () => {
  await using database = await scratchDatabase()
  const budget = { LLM_TENANT_DAILY_BUDGET_MICRODOLLARS: '3000', LLM_PRIMARY_ATTEMPTS: '1' }
  await using world = await practice(budget, database.urls.effects)
  const llm = world.provider('llm')
  expect(llm).toMatchObject({ mode: 'sandbox', repeat: 'may-repeat', rate: null, concurrency: 16 })
  expect(llm.timeoutMs).toBeGreaterThan(60_000)
  const ask = (tenantId: string, attempt: number, operation = 'complete', asked: unknown = request) =>
    llm.call(call(operation, asked as Json, { tenantId, attempt }))
  const first = await ask(tenants[0]!, 1)
  expect(first).toMatchObject({ class: 'ok', output: { vendor: 'openai', model: 'gpt-6-luna' } })
  const second = await ask(tenants[0]!, 2)
  expect(second).toMatchObject({ class: 'ok', output: { vendor: 'anthropic', model: 'claude-sonnet-5-5' } })
  expect(await ask(tenants[0]!, 1, 'embed', { texts: ['a'] })).toMatchObject({ class: 'ok' })
  const ledger = sqlLedger(world.effects)
  const today = dayOf(Date.now())
  const spent = first.costMicrodollars! + second.costMicrodollars! + 1
  expect(await ledger.spent(tenants[0]!, today)).toBe(spent)
  await ledger.reserve({ tenantId: tenants[0]!, day: today, microdollars: 3_000 - spent }, 3_000)
  expect(await ask(tenants[0]!, 1)).toMatchObject({ class: 'quota', output: null })
  expect(await ask(tenants[1]!, 1)).toMatchObject({ class: 'ok' })
})

test("a demo's visitors may bring a tenant's day to half of its budget; its own calls go on, another tenant's visitors too", async () => {
  await using database = await scratchDatabase()
  await using world = await practice({ LLM_TENANT_DAILY_BUDGET_MICRODOLLARS: '10000' }, database.urls.effects)
  const visitors = visitorsModelAt(world.foundation, world.sandbox.baseUrls)
  const own = world.provider('llm')
  const asked = async (tenantId: string) =>
    (await visitors.complete({ ...request, tenantId, attempt: 1, signal: AbortSignal.timeout(10_000) })).class
  expect(await asked(tenants[0]!)).toBe('ok')
  const day = dayOf(Date.now())
  const spent = await sqlLedger(world.effects).spent(tenants[0]!, day)
  await sqlLedger(world.effects).reserve({ tenantId: tenants[0]!, day, microdollars: 5_000 - spent }, 10_000)
  expect(await asked(tenants[0]!)).toBe('quota')
  expect(
    await own.call(call('complete', request as unknown as Json, { tenantId: tenants[0]!, attempt: 1 })),
  ).toMatchObject({ class: 'ok' })
  expect(await asked(tenants[1]!)).toBe('ok')
})

test('a letter about an invoice says where it is paid, to its own tenant alone', async () => {
  await using world = await practice({})
  const { sandbox } = world
  const mail = world.provider('sendgrid')
  const { hostname: host, port, pathname } = new URL(sandbox.baseUrls.stripe)
  const stripe = new Stripe('sk_test_1', { host, port, protocol: 'http', maxNetworkRetries: 0 })
  const made = (path: string, params: object): Promise<{ id: string; latest_invoice: string }> =>
    stripe.rawRequest('POST', `${pathname.replace(/\/$/, '')}/v1/${path}`, params as never) as never
  const { id: product } = await made('products', { name: 'growth' })
  const { id: customer } = await made('customers', { name: 'Acme', email: 'ada@acme.example' })
  const price_data = { currency: 'usd', product, unit_amount: 100, recurring: { interval: 'month' } }
  const metadata = { tenant_id: tenants[0] }
  const { latest_invoice } = await made('subscriptions', { customer, items: [{ price_data }], metadata })
  const send = (tenantId: string) =>
    mail.call(
      call(
        'send',
        {
          ...{ template: 'invoice', message_id: 'm1', to: 'ada@acme.example' },
          ...{ data_ref: `stripe.invoices:${latest_invoice}` },
          data: { first_name: 'Ada', invoice: latest_invoice, amount: 'USD 1.00', due: '2026-12-01' },
        },
        { tenantId },
      ),
    )
  expect(await send(tenants[1]!)).toMatchObject({ class: 'invalid' })
  expect(await send(tenants[0]!)).toMatchObject({ class: 'ok' })
  const sent = (await (await fetch(`${sandbox.url}/sandbox/mail?to=ada@acme.example`)).json()) as { text: string }[]
  expect(sent.map(({ text }) => text)).toEqual([expect.stringMatching(`here:\nhttps://\\S+${latest_invoice}$`)])
})

test('a live vendor is asked at its address with its key, and the other not at all', async () => {
  const { url, seen } = await scripted(openaiSays('Good day'))
  const live = { OPENAI_API_KEY: 'sk-live-12345', OPENAI_BASE_URL: `${url}/v1/`, OPENAI_MODEL: 'gpt-7' }
  const more = { OPENAI_MODEL_PRICE: '1.00/10', LLM_EFFORT: 'default', LLM_TENANT_DAILY_BUDGET_MICRODOLLARS: '0' }
  const pools = { effects: {} }
  const foundation = {
    time: machineClock,
    config: configOf({ ...live, ...more }),
    secrets: { code: 'c'.repeat(32) },
    pools,
  }
  const addresses = {
    perplexity: '',
    webscraper: '',
    sendgrid: '',
    openai: '',
    anthropic: '',
    s3: '',
    stripe: '',
    docusign: '',
    mixpanel: '',
  }
  const llm = providersAt(
    foundation as unknown as StreamFoundation,
    addresses,
    openObjectStore(foundation.config),
  ).find(({ name }) => name === 'llm')!
  expect(llm).toMatchObject({ mode: 'live', account: 'live', rate: { capacity: 500, refillPerMs: 500 / 60_000 } })
  for (const attempt of [1, 3]) {
    const outcome = await llm.call(call('complete', request as unknown as Json, { tenantId: tenants[0]!, attempt }))
    expect(outcome).toMatchObject({ class: 'ok', costMicrodollars: 2_000 }) // 1,000 tokens in, 100 out
  }
  expect(seen).toHaveLength(2)
  expect(seen[0]).toMatchObject({ path: '/v1/responses', body: { model: 'gpt-7' } })
  expect(seen[0]?.headers.authorization).toBe('Bearer sk-live-12345')
  expect(seen[0]?.body).not.toHaveProperty('reasoning')
})
