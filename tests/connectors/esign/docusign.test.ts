/** DocuSign's client against the practice DocuSign, over real HTTP. */

import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { envelopeRequest, wireEnvelope } from '../../../connectors/esign/envelope.ts'
import { call, draft, envelope, hour, practice, start, signatureOf } from './platform.ts'

const idOf = (outcome: { readonly output: unknown }): string =>
  (outcome.output as { readonly envelope_id: string }).envelope_id

describe('an envelope', () => {
  test('is made, seen and signed in routing order, and its webhooks are signed', async () => {
    const { client, heard, clock, passTo } = await practice()
    const made = await client.call(call('create_envelope', envelope()))
    expect(made).toMatchObject({ class: 'ok', output: { envelope_id: expect.any(String) as string } })
    await passTo(start + 1)
    expect(heard.map(({ event }) => event)).toEqual(['envelope-sent'])
    for (let half = 1; half <= 4; half++) await passTo(start + (half * hour) / 2)
    expect(clock.now()).toBe(start + 2 * hour)
    expect(heard.map(({ event, data }) => `${event} ${data.recipientId ?? ''}`.trim())).toEqual([
      'envelope-sent',
      'envelope-delivered',
      'recipient-completed 1',
      'recipient-completed 2',
      'envelope-completed',
    ])
    for (const { headers, raw } of heard) expect(headers['x-docusign-signature-1']).toBe(signatureOf(raw))
    const told = JSON.parse(heard[0]!.raw.toString()) as { data: { envelopeSummary: { customFields: unknown } } }
    expect(JSON.stringify(told.data.envelopeSummary.customFields)).toContain('"tenant_id","value":"tenant-a"')
  })

  test('has a place for each signature and its day, at the anchors of its column in our documents', () => {
    const people = {
      client: { name: 'Ada', email: 'ada@a.example' },
      provider: { name: 'Grace', email: 'grace@l.example' },
    }
    const asked = envelopeRequest.parse(envelope())
    const body = wireEnvelope(asked, { tenantId: 'a', organizationId: 'o', pdf: draft, people, webhookUrl: null })
    const { signers } = body['recipients'] as { readonly signers: readonly { recipientId: string; tabs: unknown }[] }
    const at = (anchorString: string) => [{ anchorString, anchorUnits: 'pixels', anchorIgnoreIfNotPresent: 'true' }]
    expect(signers.map(({ recipientId, tabs }) => [recipientId, tabs])).toEqual([
      ['1', { signHereTabs: at('/sig1/'), dateSignedTabs: at('/date1/') }],
      ['2', { signHereTabs: at('/sig2/'), dateSignedTabs: at('/date2/') }],
    ])
  })

  test('whose answer was lost is found by its transaction id: one envelope (5.3.6)', async () => {
    const { client, calls } = await practice([
      { provider: 'docusign', operation: 'create_envelope', times: 1, truncate_at: 5 },
    ])
    const lost = await client.call(call('create_envelope', envelope()))
    expect(lost).toMatchObject({ class: 'retry', status: 201 })
    const again = await client.call(call('create_envelope', envelope()))
    const third = await client.call(call('create_envelope', envelope()))
    expect(again.class).toBe('ok')
    expect(idOf(third)).toBe(idOf(again))
    expect(await calls('create_envelope')).toBe(1)
  })

  test('of another tenant is another, under its own people', async () => {
    const { client, heard, passTo } = await practice()
    const a = await client.call(call('create_envelope', envelope('tenant-a', 'ta')))
    const b = await client.call(call('create_envelope', envelope('tenant-b', 'tb'), 'tenant-b'))
    expect(idOf(a)).not.toBe(idOf(b))
    await passTo(start + 1)
    const of = (id: string) => heard.find(({ data }) => data.envelopeId === id)!.raw.toString()
    expect(of(idOf(a))).toContain('ada@tenant-a.example')
    expect(of(idOf(a))).not.toContain('tenant-b')
    expect(of(idOf(b))).toContain('"tenant_id","value":"tenant-b"')
  })

  test('outlives a kill of the service with what its people still have to do (DP1)', async () => {
    const { client, heard, passTo, reopen } = await practice()
    const made = await client.call(call('create_envelope', envelope()))
    await passTo(start + hour / 2)
    const after = await reopen()
    for (let half = 2; half <= 4; half++) await passTo(start + (half * hour) / 2)
    expect(heard.at(-1)?.event).toBe('envelope-completed')
    expect(idOf(await after.call(call('create_envelope', envelope())))).toBe(idOf(made))
  })

  test('is declined, or left alone, when a script says so', async () => {
    const { client, heard, passTo } = await practice([
      {
        provider: 'docusign',
        operation: 'create_envelope',
        companies: ['acme.example'],
        answer: 'declines',
        after_ms: 1_000,
      },
    ])
    const made = await client.call(call('create_envelope', envelope()))
    await passTo(start + 500)
    await passTo(start + 1_000)
    expect(heard.at(-1)).toMatchObject({ event: 'envelope-declined', data: { envelopeId: idOf(made) } })
    expect(await client.call(call('void_envelope', { envelope_id: idOf(made), reason: 'late' }))).toMatchObject({
      class: 'ok',
      output: { status: 'declined' },
    })
  })
})

describe('voiding', () => {
  test('ends an envelope on its way, twice without harm, and nobody signs it any more (5.3.4)', async () => {
    const { client, heard, passTo } = await practice()
    const envelope_id = idOf(await client.call(call('create_envelope', envelope())))
    const voided = { class: 'ok', output: { status: 'voided' } }
    expect(await client.call(call('void_envelope', { envelope_id, reason: 'compensation' }))).toMatchObject(voided)
    expect(await client.call(call('void_envelope', { envelope_id, reason: 'compensation' }))).toMatchObject(voided)
    await passTo(start + 9 * hour)
    expect(heard.map(({ event }) => event)).toEqual(['envelope-sent', 'envelope-voided'])
  })

  test('says that all have signed, or that there is no such envelope', async () => {
    const { client, passTo } = await practice()
    const envelope_id = idOf(await client.call(call('create_envelope', envelope())))
    for (let half = 1; half <= 4; half++) await passTo(start + (half * hour) / 2)
    expect(await client.call(call('void_envelope', { envelope_id, reason: 'x' }))).toMatchObject({
      class: 'ok',
      output: { status: 'completed' },
    })
    expect(await client.call(call('void_envelope', { envelope_id: 'none', reason: 'x' }))).toMatchObject({
      class: 'invalid',
      status: 404,
    })
  })
})

describe('the signed file', () => {
  test('and its certificate are stored once, under the tenant, with their hashes (5.3.9)', async () => {
    const { client, files, passTo, calls } = await practice()
    const envelope_id = idOf(await client.call(call('create_envelope', envelope())))
    for (let half = 1; half <= 4; half++) await passTo(start + (half * hour) / 2)
    const request = { envelope_id, document_id: 'doc1', version: 1 }
    const first = await client.call(call('fetch_signed', request))
    expect(first.class).toBe('ok')
    const { signed_ref, certificate_ref } = first.output as Record<string, { key: string; sha256: string }>
    expect(signed_ref!.key).toBe('tenants/tenant-a/documents/doc1/v1-signed.pdf')
    for (const { key, sha256 } of [signed_ref!, certificate_ref!]) {
      const { content } = files.files.get(key)!
      expect(content.subarray(0, 5).toString()).toBe('%PDF-')
      expect(createHash('sha256').update(content).digest('hex')).toBe(sha256)
    }
    expect(await client.call(call('fetch_signed', request))).toEqual(first)
    expect(await calls('combined')).toBe(1)
  })

  test('is asked for again when the store is away', async () => {
    const { client, files } = await practice()
    const envelope_id = idOf(await client.call(call('create_envelope', envelope())))
    files.failing = true
    const outcome = await client.call(call('fetch_signed', { envelope_id, document_id: 'doc1', version: 1 }))
    expect(outcome).toMatchObject({ class: 'retry', error: 'the store could not be read' })
  })
})

describe('a page of something in between', () => {
  const page = { status: 200, headers: { 'content-type': 'text/html' }, body: '<!doctype html><p>Hello</p>', times: 1 }

  test('is no word on whether there is an envelope: nothing is made on it', async () => {
    const { client, calls } = await practice([{ provider: 'docusign', operation: 'list_envelopes', ...page }])
    expect(await client.call(call('create_envelope', envelope()))).toMatchObject({ class: 'retry' })
    expect(await calls('create_envelope')).toBe(0)
    expect((await client.call(call('create_envelope', envelope()))).class).toBe('ok')
  })

  test('has voided nothing', async () => {
    const { client } = await practice([{ provider: 'docusign', operation: 'void_envelope', ...page }])
    const envelope_id = idOf(await client.call(call('create_envelope', envelope())))
    const asked = call('void_envelope', { envelope_id, reason: 'change' })
    expect(await client.call(asked)).toMatchObject({ class: 'retry' })
    expect(await client.call(asked)).toMatchObject({ class: 'ok', output: { status: 'voided' } })
  })

  test('is no word on how an envelope stands that cannot be voided', async () => {
    const { client } = await practice([{ provider: 'docusign', operation: 'envelope', ...page }])
    const envelope_id = idOf(await client.call(call('create_envelope', envelope())))
    const asked = call('void_envelope', { envelope_id, reason: 'change' })
    await client.call(asked)
    expect(await client.call(asked)).toMatchObject({ class: 'retry' })
    expect(await client.call(asked)).toMatchObject({ class: 'ok', output: { status: 'voided' } })
  })
})

describe('what goes wrong', () => {
  const rule = { provider: 'docusign' as const, operation: 'list_envelopes', times: 1 }

  test.each([
    [
      'a full hour',
      {
        status: 400,
        body: '{"errorCode":"HOURLY_APIINVOCATION_LIMIT_EXCEEDED","message":"m"}',
        headers: { 'x-ratelimit-reset': String(start / 1000 + 120) },
      },
      { class: 'retry', retryAfterMs: 120_000 },
    ],
    ['429 with retry-after', { status: 429, headers: { 'retry-after': '7' } }, { class: 'retry', retryAfterMs: 7_000 }],
    ['a broken server', { status: 503 }, { class: 'retry', status: 503 }],
    ['a cut connection', { reset: true as const }, { class: 'retry', status: 0 }],
    [
      'a forbidden account',
      { status: 403, body: '{"errorCode":"USER_LACKS_PERMISSIONS","message":"m"}' },
      { class: 'auth' },
    ],
    [
      'a wrong request',
      { status: 400, body: '{"errorCode":"INVALID_REQUEST_PARAMETER","message":"m"}' },
      { class: 'invalid', error: 'docusign answered 400 (INVALID_REQUEST_PARAMETER)' },
    ],
  ])('%s', async (_, told, expected) => {
    const { client } = await practice([{ ...rule, ...told }])
    expect(await client.call(call('create_envelope', envelope()))).toMatchObject(expected)
  })

  test('a token that is refused is replaced once; one that is kept is used again', async () => {
    const { client, calls } = await practice([{ ...rule, status: 401 }])
    expect(await client.call(call('create_envelope', envelope()))).toMatchObject({ class: 'ok' })
    expect(await client.call(call('create_envelope', envelope('tenant-a', 't2')))).toMatchObject({ class: 'ok' })
    expect(await calls('token')).toBe(2)
  })

  test('the account is on the server that DocuSign names, and asked for there once', async () => {
    const { client, calls } = await practice([], { baseUrl: null, accountId: 'SANDBOX' })
    expect(await client.call(call('create_envelope', envelope()))).toMatchObject({ class: 'ok' })
    expect(await client.call(call('create_envelope', envelope('tenant-b', 't2'), 'tenant-b'))).toMatchObject({
      class: 'ok',
    })
    expect(await calls('userinfo')).toBe(1)
    const stranger = await practice([], { baseUrl: null, accountId: 'acc' })
    expect(await stranger.client.call(call('create_envelope', envelope()))).toMatchObject({
      class: 'auth',
      error: 'docusign knows no such account of this user',
    })
    const elsewhere = await practice([], { baseUrl: null, accountId: 'another' })
    expect(await elsewhere.client.call(call('create_envelope', envelope()))).toMatchObject({ class: 'auth' })
    const away = await practice([{ provider: 'docusign', operation: 'userinfo', times: 1, status: 503 }], {
      ...{ baseUrl: null, accountId: 'sandbox' },
    })
    expect(await away.client.call(call('create_envelope', envelope()))).toMatchObject({ class: 'retry', status: 503 })
    expect(await away.client.call(call('create_envelope', envelope()))).toMatchObject({ class: 'ok' })
  })

  test('an account that did not consent is no use', async () => {
    const body = '{"error":"consent_required"}'
    const { client } = await practice([{ provider: 'docusign', operation: 'token', status: 400, body }])
    expect(await client.call(call('create_envelope', envelope()))).toMatchObject({
      class: 'auth',
      error: 'docusign gave no access token (consent_required)',
    })
  })

  test('nobody who could sign, no file, no request', async () => {
    const nobody = await practice([], { signerOf: () => Promise.resolve(null) })
    expect(await nobody.client.call(call('create_envelope', envelope()))).toMatchObject({
      class: 'invalid',
      error: 'the organization has no owner who could sign',
    })
    const { client, files } = await practice()
    files.files.clear()
    expect(await client.call(call('create_envelope', envelope()))).toMatchObject({ class: 'invalid' })
    expect(await client.call(call('create_envelope', {}))).toMatchObject({ class: 'invalid' })
    expect(await client.call(call('fax', {}))).toMatchObject({ class: 'invalid' })
  })
})
