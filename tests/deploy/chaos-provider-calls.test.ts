/**
 * The real clients, through every fault at every call, repeated as the effect worker repeats them: what they make is made once. The
 * same resident providers and the same judge as in `npm run chaos -- --providers`, without the application around them.
 */

import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CallOutcome, Provider } from '../../connectors/effects/port.ts'
import { docuSignProvider } from '../../connectors/esign/index.ts'
import { stripeProvider } from '../../connectors/payments/index.ts'
import { s3Store } from '../../connectors/storage/index.ts'
import type { ObjectStore } from '../../connectors/storage/index.ts'
import { add, tableOf } from '../../deploy/chaos/providers/coverage.ts'
import type { Met } from '../../deploy/chaos/providers/coverage.ts'
import { evidenceIn } from '../../deploy/chaos/providers/evidence.ts'
import { uses } from '../../deploy/chaos/providers/fates.ts'
import { faultKinds } from '../../deploy/chaos/providers/faults.ts'
import type { CompanyEnd } from '../../deploy/chaos/providers/judge.ts'
import { judge } from '../../deploy/chaos/providers/judge.ts'
import type { Resident } from '../../deploy/chaos/providers/resident.ts'
import { openResident } from '../../deploy/chaos/providers/resident.ts'
import { companies } from '../../examples/companies.ts'
import type { Json } from '../../schemas/index.ts'

const timeoutMs = 500
const privateKey = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()
const pdf = Buffer.from('%PDF-1.7\n% a contract\n%%EOF\n')
const minute = 60_000

let directory: string
let resident: Resident
let files: ObjectStore
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'provider-calls-'))
  const codeSecret = 'c'.repeat(32)
  resident = await openResident({ directory, codeSecret, slowMs: timeoutMs + 300, kill: () => undefined })
  files = s3Store({
    bucket: 'contracts',
    endpoint: `${resident.sandbox.url}/s3`,
    region: 'us-east-1',
    accessKeyId: 'practice',
    secretAccessKey: 'practice',
    timeoutMs,
  })
  await untilDone(() => files.ready())
})
afterAll(async () => {
  files.close()
  await resident.sandbox.close()
  await rm(directory, { recursive: true })
})

async function untilDone<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (tries === 20) throw error
    }
  }
}

interface Client {
  readonly tenantId: string
  readonly organizationId: string
  readonly domain: string
}

/** Fresh ones, as after a kill: nothing is remembered. */
const stripeNow = ({ domain }: Client): Provider =>
  stripeProvider({
    baseUrl: resident.sandbox.baseUrls.stripe,
    apiKey: 'sandbox',
    mode: 'sandbox',
    timeoutMs,
    rate: null,
    resolveOwner: () => Promise.resolve({ name: 'Ada', email: `ada@${domain}` }),
    now: () => Date.now(),
  })
const docuSignNow = ({ domain }: Client): Provider =>
  docuSignProvider({
    mode: 'sandbox',
    baseUrl: resident.sandbox.baseUrls.docusign,
    authUrl: resident.sandbox.baseUrls.docusign,
    integrationKey: 'sandbox',
    userId: 'sandbox',
    accountId: 'sandbox',
    privateKey,
    timeoutMs,
    provider: { name: 'Signer', email: 'signer@lifecycle.example' },
    signerOf: () => Promise.resolve({ name: 'Ada', email: `ada@${domain}` }),
    files,
    now: () => Date.now(),
  })

/** The same call under its id until there is a definite answer: by one process, or by the next. */
async function ask(
  clientOf: (client: Client) => Provider,
  client: Client,
  operation: string,
  request: Json,
): Promise<Readonly<Record<string, unknown>>> {
  const { tenantId, organizationId } = client
  const callId = `${client.domain} ${operation}`
  let provider = clientOf(client)
  let outcome: CallOutcome | null = null
  for (let attempt = 1; attempt <= 30; attempt++) {
    const { signal } = new AbortController()
    outcome = await provider.call({ callId, operation, attempt, tenantId, organizationId, request, signal })
    if (outcome.class !== 'retry') break
    if (attempt % 2 === 0) provider = clientOf(client)
  }
  if (outcome?.class !== 'ok') throw new Error(`${operation}: ${outcome?.class ?? ''} ${outcome?.error ?? ''}`)
  return outcome.output as Readonly<Record<string, unknown>>
}

async function passed(ms: number): Promise<void> {
  await fetch(`${resident.sandbox.url}/sandbox/follow`, {
    method: 'POST',
    body: JSON.stringify({ now: resident.now() + ms }),
  })
  while (resident.sandbox.isBusy) await sleep(2)
}

const terms = { plan: 'growth', quantity: 40, interval: 'month', currency: 'USD', amount: 80_000 }

/** Contract, subscription, payment, usage and its refund; then everything is taken back for one tenant of the two. */
async function liveOf(client: Client, stays: boolean): Promise<CompanyEnd> {
  const { domain, tenantId, organizationId } = client
  const document_id = `document ${domain}`
  const key = `tenants/${tenantId}/documents/${domain}/v1.pdf`
  const ref = await untilDone(async () => files.put(key, pdf, { contentType: 'application/pdf' }))
  const { bucket, version_id, sha256, bytes } = ref
  const { envelope_id } = await ask(docuSignNow, client, 'create_envelope', {
    transaction_id: `transaction ${domain}`,
    document: { ref: { bucket, key, version_id, sha256, bytes }, name: 'contract-v1.pdf' },
    ...{ document_id, version: 1, document_type: 'contract', company: { company_name: domain, domain } },
    ...{ signers: [{ role: 'client', order: 1 }], expires_in_days: 30 },
  })
  if (!stays) await ask(docuSignNow, client, 'void_envelope', { envelope_id: envelope_id as string, reason: 'changed' })
  const { customer_id } = await ask(stripeNow, client, 'create_customer', { company: domain })
  const made = { customer_id: customer_id as string, ...terms, document_id }
  const { subscription_id, invoice_id } = await ask(stripeNow, client, 'create_subscription', made)
  await passed(2 * minute)
  const usage = { meter: 'messages', quantity: 120, window_start: resident.now(), identifier: `${domain} messages` }
  await ask(stripeNow, client, 'report_usage', { customer_id: customer_id as string, ...usage })
  const given = { invoice_id: invoice_id as string, amount: 1_000, currency: 'USD', reason: 'compensation' }
  await ask(stripeNow, client, 'refund', given)
  const cancel = { subscription_id: subscription_id as string, reason: 'compensation' }
  if (!stays) await ask(stripeNow, client, 'cancel_subscription', cancel)
  if (stays) await passed(3 * 60 * minute)
  if (stays)
    await ask(docuSignNow, client, 'fetch_signed', {
      envelope_id: envelope_id as string,
      document_id: domain,
      version: 1,
    })
  const end = stays ? 'paid' : 'let go'
  return { domain, organizationId, wanted: [end], came: end, used: { messages: 120 } }
}

/** An invoice that nobody has paid yet is taken back: of a third client. */
async function neverPaid(client: Client): Promise<void> {
  const { domain } = client
  const { customer_id } = await ask(stripeNow, client, 'create_customer', { company: domain })
  const made = { customer_id: customer_id as string, ...terms, document_id: `document ${domain}` }
  const { invoice_id } = await ask(stripeNow, client, 'create_subscription', made)
  await ask(stripeNow, client, 'void_invoice', { invoice_id: invoice_id as string })
}

describe('every fault at every call of the real clients', () => {
  test('makes one of each: by the providers, for two tenants', async () => {
    const met: Met = new Map()
    const ends: CompanyEnd[] = []
    const seeds = 18
    for (let seed = 1; seed <= seeds; seed++) {
      const client = (letter: string): Client => ({
        tenantId: `tenant-${letter}`,
        organizationId: `organization-${letter}-${seed}`,
        domain: `${letter}${seed}.example`,
      })
      const planned = ['a', 'b', 'c'].map((letter) => ({
        company: companies[0]!,
        domain: client(letter).domain,
        fate: uses,
      }))
      resident.faults.begin([{ seed, companies: planned, kills: [] }])
      ends.push(await liveOf(client('a'), true), await liveOf(client('b'), false))
      await neverPaid(client('c'))
    }
    const evidence = evidenceIn(directory, resident.calls)
    expect(judge(evidence, ends, null)).toEqual([])
    expect(evidence.customers).toHaveLength(3 * seeds)
    expect(evidence.envelopes).toHaveLength(2 * seeds)
    expect(evidence.meterEvents).toHaveLength(2 * seeds)
    add(met, evidence.calls)
    const operations = [
      ...['create_customer', 'create_subscription', 'cancel_subscription', 'void_invoice', 'refund', 'report_usage'],
    ].map((operation) => `stripe.${operation}`)
    for (const operation of [...operations, 'docusign.create_envelope', 'docusign.void_envelope'])
      expect(
        faultKinds.filter((kind) => (met.get(operation)?.get(kind) ?? 0) === 0),
        `${operation}\n${tableOf(met).join('\n')}`,
      ).toEqual([])
  }, 900_000)
})
