/** What a new contract asks of a subscription that runs, byte for byte as it goes out. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { stripeProvider } from '../../../connectors/payments/index.ts'

test.each(['tenant-a', 'tenant-b'])(
  'a contract signed anew keeps a subscription of %s that was to end',
  async (tenantId) => {
    const sent: URLSearchParams[] = []
    const subscription = {
      id: 'sub_1',
      object: 'subscription',
      status: 'active',
      cancel_at_period_end: true,
      items: { object: 'list', data: [{ id: 'si_1' }] },
      metadata: { document_id: 'doc1' },
    }
    const service = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const isUpdate = request.method === 'POST' && request.url === '/v1/subscriptions/sub_1'
        if (isUpdate) sent.push(new URLSearchParams(Buffer.concat(chunks).toString('utf8')))
        const body = request.url === '/v1/products' ? { id: 'plan_scale', object: 'product' } : subscription
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
      })
    })
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      service.closeAllConnections()
      service.close()
    })
    const provider = stripeProvider({
      baseUrl: `http://127.0.0.1:${String((service.address() as AddressInfo).port)}`,
      apiKey: 'sk_test_1',
      mode: 'sandbox',
      timeoutMs: 5_000,
      rate: null,
      resolveOwner: () => Promise.resolve(null),
      now: () => 0,
    })
    const answer = await provider.call({
      callId: 'c1',
      tenantId,
      organizationId: 'o1',
      operation: 'update_subscription',
      request: {
        ...{ subscription_id: 'sub_1', plan: 'scale', quantity: 2, interval: 'year', currency: 'JPY', amount: 100_000 },
        document_id: 'doc2',
      },
      attempt: 1,
      signal: new AbortController().signal,
    } as never)
    expect(answer).toMatchObject({ class: 'ok', output: { subscription_id: 'sub_1' } })
    expect(Object.fromEntries(sent[0] ?? [])).toMatchObject({
      cancel_at_period_end: 'false',
      proration_behavior: 'create_prorations',
      'items[0][id]': 'si_1',
      'items[0][price_data][unit_amount]': '50000',
      'items[0][price_data][currency]': 'jpy',
      'metadata[document_id]': 'doc1',
      'metadata[tenant_id]': tenantId,
    })
  },
)
