/** What becomes of a mail: our client hands it over, and the platform's own verifier reads what is told of it. */

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { sendGridWebhooks } from '../../../api/webhooks/send-grid.ts'
import type { UnusableEvent, WebhookEvent } from '../../../api/webhooks/verifier.ts'
import { sendGridProvider } from '../../../connectors/mail/index.ts'
import type { SandboxRule } from '../../../connectors/sandbox/index.ts'
import { sandboxMailKey, startSandbox } from '../../../connectors/sandbox/index.ts'
import { HandClock } from '../../../topology/testing/hand-clock.ts'
import { call } from './start.ts'

const start = Date.parse('2026-01-01T00:00:00Z')
const realNow = Date.parse('2026-06-01T00:00:00Z')
const secret = 'the secret of this installation'
const minute = 60_000

async function world(...rules: readonly SandboxRule[]) {
  const told: (WebhookEvent | UnusableEvent)[] = []
  const statuses: number[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const raw = Buffer.concat(chunks)
      const verdict = sendGridWebhooks.verify(request.headers, raw, [sandboxMailKey(secret)], realNow)
      const status = request.url !== '/webhooks/sendgrid/sandbox' ? 404 : verdict === 'ok' ? 200 : verdict.status
      statuses.push(status)
      if (status === 200) told.push(...sendGridWebhooks.read(raw))
      response.writeHead(status).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const directory = mkdtempSync(join(tmpdir(), 'mail-'))
  const clock = new HandClock(start)
  const platformUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const options = { directory, clock, realNow: () => realNow, webhookSecret: secret, platformUrl }
  let sandbox = await startSandbox({ ...options, script: rules })
  onTestFinished(async () => {
    await sandbox.close()
    server.close()
    server.closeAllConnections()
    rmSync(directory, { recursive: true })
  })
  return {
    told,
    statuses,
    async send(tenantId: string, to = 'ada@acme.example') {
      const templates = { hi: { subject: 'Hi', text: 'Hello' } }
      const from = { email: 'us@lifecycle.example' }
      const settings = { apiKey: 'SG', mode: 'sandbox', timeoutMs: 5_000, resolve: () => Promise.resolve({}) } as const
      const client = sendGridProvider({ ...settings, baseUrl: sandbox.baseUrls.sendgrid, from, templates })
      const request = { template: 'hi', message_id: `m of ${tenantId}`, contact_id: 'u1', to }
      const sent = await client.call(call('send', request, { tenantId, organizationId: `org of ${tenantId}` }))
      expect(sent.class).toBe('ok')
    },
    async reopen() {
      await sandbox.close()
      sandbox = await startSandbox(options)
    },
    async passTo(at: number) {
      await clock.turnTo(at)
      do await new Promise((resolve) => setTimeout(resolve, 5))
      while (sandbox.isBusy)
    },
  }
}

const payloads = (told: readonly (WebhookEvent | UnusableEvent)[]) =>
  told.map((event) => ('payload' in event ? event.payload : event))

test('is delivered within seconds, said once, signed with real time, and says whose it was', async () => {
  const { send, told, statuses, passTo } = await world()
  await send('tenant-a')
  await send('tenant-b')
  await passTo(start + 1_999)
  expect(told).toEqual([])
  await passTo(start + 2_000)
  expect(statuses).toEqual([200, 200])
  expect(payloads(told)).toMatchObject(
    ['tenant-a', 'tenant-b'].map((tenant) => ({
      ...{ contact_id: 'u1', message_id: `m of ${tenant}`, status: 'delivered', at: start + 2_000 },
    })),
  )
  expect(told[0]).toMatchObject({ tenantId: 'tenant-a', organizationId: 'org of tenant-a' })
  expect(new Set(told.map(({ deliveryId }) => deliveryId)).size).toBe(2)
  await passTo(start + 100 * 60 * minute)
  expect(told).toHaveLength(2)
})

test.each<[NonNullable<SandboxRule['answer']>, readonly (readonly [status: string, afterMs: number])[]]>([
  ['bounces', [['bounced', 2_000]]],
  ['blocked', [['failed', 2_000]]],
  ['defers', [['deferred', 2_000], ['delivered', 60 * minute]]], // prettier-ignore
  ['opens', [['delivered', 2_000], ['opened', 5 * minute]]], // prettier-ignore
  ['complains', [['delivered', 2_000], ['opened', 5 * minute], ['complained', 6 * minute]]], // prettier-ignore
])('%s when a script says so, for that company alone; a kill in between loses nothing', async (answer, expected) => {
  const to = await world({ provider: 'sendgrid', operation: 'deliver', companies: ['acme.example'], answer })
  await to.send('tenant-a')
  await to.send('tenant-b', 'bob@globex.example')
  await to.reopen()
  for (const at of [2_000, 5 * minute, 6 * minute, 60 * minute]) await to.passTo(start + at)
  const of = (tenant: string) =>
    to.told.flatMap((event) => ('payload' in event && event.tenantId === tenant ? [event.payload] : []))
  expect(of('tenant-a').map(({ status, at }) => [status, Number(at) - start])).toEqual(expected)
  expect(of('tenant-b').map(({ status }) => status)).toEqual(['delivered'])
})

test.each(['wrong', 'stale', 'future'] as const)('a signature that is %s is refused, and told again', async (fault) => {
  const rule = { provider: 'sendgrid', operation: 'webhook', signature: fault, times: 1 } as const
  const { send, statuses, told, passTo } = await world(rule)
  await send('tenant-a')
  await passTo(start + 2_000)
  expect(statuses).toEqual([401])
  await passTo(start + 10_000)
  expect(statuses).toEqual([401, 200])
  expect(told).toHaveLength(1)
})
