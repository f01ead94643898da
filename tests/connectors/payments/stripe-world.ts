/** The sandbox's payment service on a clock that the test turns, and a platform that takes its webhooks. */

import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { stripeWebhooks } from '../../../api/webhooks/stripe.ts'
import type { WebhookEvent } from '../../../api/webhooks/verifier.ts'
import type { Provider, ProviderCall } from '../../../connectors/effects/port.ts'
import { stripeApiVersion, stripeProvider } from '../../../connectors/payments/index.ts'
import type { Sandbox, SandboxRule } from '../../../connectors/sandbox/index.ts'
import { startSandbox } from '../../../connectors/sandbox/index.ts'
import type { Json } from '../../../schemas/index.ts'
import type { Clock } from '../../../topology/index.ts'

export const start = Date.parse('2026-01-01T00:00:00Z')
export const dayMs = 24 * 60 * 60 * 1000

const webhookSecret = 'whsec_of_the_test'
const webhooks = stripeWebhooks(stripeApiVersion)

class HandTurnedClock implements Clock {
  #now = start
  #waiting: { readonly at: number; readonly run: () => void }[] = []
  now = (): number => this.#now
  after = (ms: number, run: () => void): (() => void) => {
    const entry = { at: this.#now + ms, run }
    this.#waiting.push(entry)
    return () => {
      this.#waiting = this.#waiting.filter((each) => each !== entry)
    }
  }
  /** Goes to the next thing that waits, not past `to`. @returns whether there was one */
  step(to: number): boolean {
    const next = this.#waiting.sort((a, b) => a.at - b.at)[0]
    if (next === undefined || next.at > to) {
      this.#now = Math.max(this.#now, to)
      return false
    }
    this.#waiting.shift()
    this.#now = Math.max(this.#now, next.at)
    next.run()
    return true
  }
}

export interface World {
  readonly sandbox: Sandbox
  readonly provider: Provider
  readonly clock: Clock
  /** What the platform took, in the order in which it came, each one verified. */
  readonly events: WebhookEvent[]
  /** Statuses that the platform answered. */
  readonly answers: number[]
  advance(ms: number): Promise<void>
  ask(operation: string, request: Json, more?: Partial<ProviderCall>): ReturnType<Provider['call']>
  restart(): Promise<void>
}

const owners: Readonly<Record<string, { name: string; email: string }>> = {
  'tenant-a organization-a': { name: 'Ada', email: 'ada@acme.example' },
  'tenant-b organization-a': { name: 'Bob', email: 'bob@globex.example' },
}

export async function world(script: readonly SandboxRule[] = [], timeoutMs = 5_000): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), 'stripe-'))
  const clock = new HandTurnedClock()
  const events: WebhookEvent[] = []
  const answers: number[] = []
  const platform = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const raw = Buffer.concat(chunks)
      const verdict = webhooks.verify(request.headers, raw, [webhookSecret], clock.now())
      const status = verdict === 'ok' ? 200 : verdict.status
      answers.push(status)
      if (verdict === 'ok') events.push(...(webhooks.read(raw) as readonly WebhookEvent[]))
      response.writeHead(status).end()
    })
  })
  await new Promise<void>((resolve) => platform.listen(0, '127.0.0.1', resolve))
  const platformUrl = `http://127.0.0.1:${(platform.address() as AddressInfo).port}`
  let sandbox = await startSandbox({ directory, clock, platformUrl, webhookSecret, script })
  const providerAt = (): Provider =>
    stripeProvider({
      baseUrl: sandbox.baseUrls.stripe,
      apiKey: 'sk_test_1',
      mode: 'sandbox',
      timeoutMs,
      rate: null,
      resolveOwner: (tenant, organization) => Promise.resolve(owners[`${tenant} ${organization}`] ?? null),
      now: () => clock.now(),
    })
  let provider = providerAt()
  let calls = 0
  onTestFinished(async () => {
    await sandbox.close()
    platform.closeAllConnections()
    await new Promise((resolve) => platform.close(resolve))
    await rm(directory, { recursive: true })
  })
  const idle = async (): Promise<void> => {
    do await sleep(1)
    while (sandbox.isBusy)
  }
  return {
    get sandbox() {
      return sandbox
    },
    get provider() {
      return provider
    },
    clock,
    events,
    answers,
    async advance(ms) {
      const to = clock.now() + ms
      await idle()
      while (clock.step(to)) await idle()
    },
    ask(operation, request, more = {}) {
      calls += 1
      const call: ProviderCall = {
        callId: `call-${calls}`,
        operation,
        attempt: 1,
        tenantId: 'tenant-a',
        organizationId: 'organization-a',
        request,
        signal: new AbortController().signal,
        ...more,
      }
      return provider.call(call)
    },
    async restart() {
      await sandbox.close()
      sandbox = await startSandbox({ directory, clock, platformUrl, webhookSecret })
      provider = providerAt()
    },
  }
}

/** A customer and a subscription of 80,000 a month. */
export async function subscribed(to: World, more: Partial<ProviderCall> = {}) {
  const made = await to.ask('create_customer', { company: 'Acme' }, more)
  const customer_id = (made.output as { customer_id: string }).customer_id
  const terms = { plan: 'growth', quantity: 40, interval: 'month', currency: 'USD', amount: 80_000 }
  const request = { ...terms, customer_id, document_id: 'doc1' }
  const subscription = await to.ask('create_subscription', request, more)
  const { subscription_id, invoice_id } = subscription.output as { subscription_id: string; invoice_id: string }
  return { customer_id, subscription_id, invoice_id, terms }
}
