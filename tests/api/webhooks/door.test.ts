/** Webhooks at the HTTP door, over a real database and log; numbers in brackets are rows of the list of bad inputs. */

import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Webhooks, WebhookVerifier } from '../../../api/index.ts'
import {
  createWebhooks,
  docuSignWebhooks,
  postgresWaitingRoom,
  sendGridWebhooks,
  stripeWebhooks,
  webhookDefaults,
} from '../../../api/index.ts'
import { secretBox } from '../../../connectors/keys/index.ts'
import { documentEvents } from '../../../schemas/index.ts'
import type { TestServer } from '../http/world.ts'
import { organizationOf, serve, systemClock, tenantA, tenantB } from '../http/world.ts'
import type { World } from '../ingest/world.ts'
import { openWorld } from '../ingest/world.ts'

const keyOfMail = () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { secret: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'), privateKey }
}
const mail = keyOfMail()
const otherMail = keyOfMail()

/** A provider whose objects do not always say whose they are. */
const plain: WebhookVerifier = {
  provider: 'plain',
  verify: (headers, _raw, secrets) => (secrets.includes(String(headers['x-secret'])) ? 'ok' : { status: 401 }),
  read: (raw) => {
    const said = JSON.parse(raw.toString()) as Record<string, string>
    return [
      {
        ...{ deliveryId: said['id']!, objectId: said['object']!, topic: documentEvents },
        ...{ type: said['type'] ?? 'envelope_webhook_received', tenantId: said['tenant'] ?? null },
        organizationId: said['tenant'] === undefined ? null : organizationOf(said['tenant']),
        relatedIds: said['related'] === undefined ? [] : [said['related']],
        payload: {
          ...{ envelope_id: said['object']!, event: 'e', generated_at: 1, delivery_id: said['id']! },
          ...(said['reason'] === undefined ? {} : { reason: said['reason'] }),
        },
      },
    ]
  },
}

const secrets = {
  docusign: { eu: ['retired key of eu', 'current key of eu'], us: ['current key of us'] },
  sendgrid: { main: [mail.secret], other: [otherMail.secret] },
  stripe: { main: ['whsec_main'], other: ['whsec_other'] },
  plain: { main: ['the plain secret'] },
}

const box = secretBox('a secret of thirty-two characters', 'webhooks that wait')

let world: World
let server: TestServer
let hooks: Webhooks
let nowMs = Date.now()
const counts = new Map<string, number>()

beforeAll(async () => {
  world = await openWorld()
  hooks = createWebhooks({
    verifiers: [docuSignWebhooks, sendGridWebhooks, stripeWebhooks('2026-10-28.endive'), plain],
    secrets,
    ingest: world.ingest,
    room: postgresWaitingRoom(world.pool, box),
    clock: { ...systemClock, now: () => nowMs },
    settings: webhookDefaults,
    counted: (provider, outcome) => {
      const name = `${provider} ${outcome}`
      counts.set(name, (counts.get(name) ?? 0) + 1)
    },
  })
  server = await serve([], {}, { mounts: { '/webhooks': hooks.handler } })
})
afterAll(async () => {
  await server.close()
  await world[Symbol.asyncDispose]()
})
beforeEach(() => {
  nowMs = Date.now()
  counts.clear()
})

type Headers = Readonly<Record<string, string>>
const post = (path: string, body: string | Buffer, headers: Headers): Promise<Response> =>
  fetch(`${server.url}/webhooks/${path}`, { method: 'POST', body: new Uint8Array(Buffer.from(body)), headers })
const problem = async (response: Response): Promise<unknown> =>
  ((await response.json()) as { readonly code: string }).code

const hmac = (raw: string | Buffer, secret: string): string => createHmac('sha256', secret).update(raw).digest('base64')
let envelopes = 0
/** A Connect message, with blanks that a parser would not keep. */
const connect = (tenant = tenantA, more: Readonly<Record<string, unknown>> = {}): string => {
  envelopes += 1
  const custom = [
    { name: 'tenant_id', value: tenant },
    { name: 'organization_id', value: organizationOf(tenant) },
  ]
  return `${JSON.stringify(
    {
      event: 'envelope-completed',
      retryCount: 0,
      generatedDateTime: '2026-01-02T00:00:00.123Z',
      data: { envelopeId: `e${envelopes}`, envelopeSummary: { customFields: { textCustomFields: custom } } },
      ...more,
    },
    null,
    2,
  )}\r\n`
}
const signedBy = (raw: string | Buffer, ...keys: readonly string[]): Headers =>
  Object.fromEntries(keys.map((key, n) => [`X-DocuSign-Signature-${n + 1}`, hmac(raw, key)]))
const current = 'current key of eu'

const eventsOf = async (tenant: string, type: string) =>
  (await world.written(tenant)).filter(({ event }) => event.event_type === type)

describe('docusign', () => {
  test('a delivery is one event of its tenant, by the provider', async () => {
    const raw = connect(tenantB)
    expect((await post('docusign/eu', raw, signedBy(raw, current))).status).toBe(200)
    const [{ event, key } = {} as never] = (await eventsOf(tenantB, 'envelope_webhook_received')).slice(-1)
    expect(key).toBe(`${tenantB}|${organizationOf(tenantB)}`)
    expect(event).toMatchObject({
      envelope_id: `e${envelopes}`,
      event: 'envelope-completed',
      generated_at: Date.parse('2026-01-02T00:00:00.123Z'),
      actor: { type: 'provider', id: 'docusign' },
    })
    expect(
      (await eventsOf(tenantA, 'envelope_webhook_received')).map(({ event: other }) => other['envelope_id']),
    ).not.toContain(`e${envelopes}`)
  })

  test.each<readonly [string, (raw: string) => Headers]>([
    ['none', () => ({})],
    ['empty', () => ({ 'X-DocuSign-Signature-1': '' })],
    ['too short', (raw) => ({ 'X-DocuSign-Signature-1': hmac(raw, current).slice(0, 20) })],
    ['no base64', () => ({ 'X-DocuSign-Signature-1': '!'.repeat(44) })],
    ['the right digest and one byte', (raw) => ({ 'X-DocuSign-Signature-1': `${hmac(raw, current)}A` })],
    ['in hex', (raw) => ({ 'X-DocuSign-Signature-1': createHmac('sha256', current).update(raw).digest('hex') })],
    ['SHA-1 only', (raw) => ({ 'X-DocuSign-Signature-1': createHmac('sha1', current).update(raw).digest('base64') })],
    ['all zero', () => ({ 'X-DocuSign-Signature-1': Buffer.alloc(32).toString('base64') })],
    ['under another name', (raw) => ({ 'X-Signature-1': hmac(raw, current) })],
    ['of another key', (raw) => signedBy(raw, 'somebody else')],
    ['of another endpoint (27)', (raw) => signedBy(raw, 'current key of us')],
    ['of another provider (27)', (raw) => signedBy(raw, 'the plain secret')],
  ])('signature %s: 401, and no event (WH1, WH2, 5.3.5; 21)', async (_, headers) => {
    const raw = connect()
    const before = (await world.written()).length
    const response = await post('docusign/eu', raw, headers(raw))
    expect(response.status).toBe(401)
    expect(await problem(response)).toBe('bad_signature')
    expect((await world.written()).length).toBe(before)
    expect(counts.get('docusign refused')).toBe(1)
  })

  test('bytes that are not the signed ones: written anew, another order, another charset, unpacked (22)', async () => {
    const raw = connect()
    const packed = gzipSync(raw)
    const value = JSON.parse(raw) as Record<string, unknown>
    const others = [
      JSON.stringify(value),
      raw.trimEnd(),
      JSON.stringify(Object.fromEntries(Object.entries(value).reverse())),
    ]
    for (const other of others) expect((await post('docusign/eu', other, signedBy(raw, current))).status).toBe(401)
    const utf16 = Buffer.from(raw, 'utf16le')
    expect((await post('docusign/eu', utf16, signedBy(raw, current))).status).toBe(401)
    expect((await post('docusign/eu', raw, signedBy(packed, current))).status).toBe(401)
  })

  test('a delivery that comes twice, with another count of tries, and three days later: one event (WH3, 5.3.5; 24)', async () => {
    const id = `e${envelopes + 1}`
    const first = connect()
    const again = first.replace('"retryCount": 0', '"retryCount": 3')
    expect(again).not.toBe(first)
    for (const raw of [first, first, again])
      expect((await post('docusign/eu', raw, signedBy(raw, current))).status).toBe(200)
    // What the ingest forgets after a day it does not forget of webhooks.
    nowMs += 3 * 24 * 3_600_000
    const { rowCount } = await world.pool.query(
      'select from auth.ingest_requests where idempotency_key like $1 and reserved_at > $2',
      [`webhook:docusign:${id}:%`, new Date(Date.now() + 4 * 24 * 3_600_000)],
    )
    expect(rowCount).toBe(1)
    await world.ingest.sweep()
    expect((await post('docusign/eu', again, signedBy(again, current))).status).toBe(200)
    const events = await eventsOf(tenantA, 'envelope_webhook_received')
    expect(events.filter(({ event }) => event['envelope_id'] === id)).toHaveLength(1)
  })

  test('the retired key first, the current one second; a hundred headers, one that fits; a hundred and one (5.3.5; 25)', async () => {
    const raw = connect()
    expect((await post('docusign/eu', raw, signedBy(raw, 'long gone', current))).status).toBe(200)
    const many = (count: number): Headers =>
      signedBy(raw, ...Array.from({ length: count - 1 }, (_, n) => `key ${n}`), current)
    expect((await post('docusign/eu', raw, many(100))).status).toBe(200)
    expect((await post('docusign/eu', raw, many(101))).status).toBe(400)
  })

  test('a recipient is named by its role, a reason is kept', async () => {
    const signers = [{ recipientId: '2', roleName: null, declinedReason: 'budget' }]
    const raw = connect(tenantA, {
      event: 'envelope-declined',
      data: {
        envelopeId: 'declined',
        recipientId: '2',
        envelopeSummary: {
          recipients: { signers },
          customFields: {
            textCustomFields: [
              { name: 'tenant_id', value: tenantA },
              { name: 'organization_id', value: organizationOf(tenantA) },
            ],
          },
        },
      },
    })
    await post('docusign/eu', raw, signedBy(raw, current))
    const events = await eventsOf(tenantA, 'envelope_webhook_received')
    expect(events.find(({ event }) => event['envelope_id'] === 'declined')?.event).toMatchObject({
      recipient: 'provider',
      reason: 'budget',
    })
  })

  test('well signed, and no Connect message: set aside, and the sender is at ease', async () => {
    for (const raw of [
      'not JSON',
      '[]',
      '{"event":"x"}',
      JSON.stringify({ ...(JSON.parse(connect()) as object), generatedDateTime: 'soon' }),
    ]) {
      expect((await post('docusign/eu', raw, signedBy(raw, current))).status).toBe(200)
    }
    expect(counts.get('docusign set_aside')).toBe(4)
    const { rows } = await world.pool.query<{ reason: string; payload: unknown }>(
      `select reason, payload from auth.webhooks_waiting where provider = 'docusign' and reason is not null`,
    )
    expect(rows).toHaveLength(4)
    expect(rows.map(({ payload }) => payload)).toEqual([{}, {}, {}, {}])
  })
})

describe('sendgrid', () => {
  let mails = 0
  const delivered = (more: Readonly<Record<string, unknown>> = {}, tenant = tenantA) => {
    mails += 1
    return {
      ...{ email: 'ada@acme.example', timestamp: 1_767_225_600, event: 'delivered', sg_event_id: `ev${mails}` },
      ...{ sg_message_id: `sg${mails}`, tenant_id: tenant, organization_id: organizationOf(tenant) },
      ...{ contact_id: 'u1', message_id: `m${mails}`, ...more },
    }
  }
  const now = (): string => String(Math.floor(nowMs / 1000))
  const ecdsa = (raw: string, key = mail.privateKey, at = now()): Headers => ({
    'X-Twilio-Email-Event-Webhook-Timestamp': at,
    'X-Twilio-Email-Event-Webhook-Signature': sign('sha256', Buffer.from(at + raw), key).toString('base64'),
  })

  test('a thousand events of five kinds, one malformed: the good ones are taken, the bad one is set aside (26)', async () => {
    const kinds = ['delivered', 'bounce', 'open', 'click', 'processed']
    const list: unknown[] = Array.from({ length: 999 }, (_, n) =>
      delivered({ event: kinds[n % 5], type: n % 10 === 1 ? 'blocked' : null }, n % 2 === 0 ? tenantA : tenantB),
    )
    list.splice(500, 0, delivered({ contact_id: 7 }))
    const raw = JSON.stringify(list)
    expect((await post('sendgrid/main', raw, ecdsa(raw))).status).toBe(200)
    expect([counts.get('sendgrid accepted'), counts.get('sendgrid set_aside')]).toEqual([800, 1])
    const a = await eventsOf(tenantA, 'delivery_updated')
    const b = await eventsOf(tenantB, 'delivery_updated')
    expect(a.length + b.length).toBe(800)
    expect(new Set([...a, ...b].map(({ event }) => event['status']))).toEqual(
      new Set(['delivered', 'bounced', 'failed', 'opened', 'clicked']),
    )
    expect(JSON.stringify(a)).not.toContain(tenantB)
    expect(a[0]!.event).toMatchObject({ contact_id: 'u1', at: 1_767_225_600_000 })
  }, 60_000)

  test('a signature that is not DER, the all-zero one, a wrong key, another endpoint, another time: 401 (26, 27)', async () => {
    const raw = JSON.stringify([delivered()])
    const good = ecdsa(raw)
    const name = 'X-Twilio-Email-Event-Webhook-Signature'
    const raw64 = sign('sha256', Buffer.from(now() + raw), {
      key: mail.privateKey,
      dsaEncoding: 'ieee-p1363',
    }).toString('base64')
    const bad: readonly Headers[] = [
      { ...good, [name]: raw64 },
      { ...good, [name]: Buffer.alloc(64).toString('base64') },
      { ...good, [name]: Buffer.from('3006020100020100', 'hex').toString('base64') },
      { ...good, [name]: '' },
      ecdsa(raw, otherMail.privateKey),
      { ...good, 'X-Twilio-Email-Event-Webhook-Timestamp': String(Number(now()) + 1) },
      ecdsa(raw, mail.privateKey, String(Number(now()) - 301)),
      ecdsa(raw, mail.privateKey, String(Number(now()) + 301)),
      {},
    ]
    for (const headers of bad) expect((await post('sendgrid/main', raw, headers)).status).toBe(401)
    expect((await post('sendgrid/other', raw, good)).status).toBe(401)
    expect((await post('sendgrid/main', raw, good)).status).toBe(200)
  })

  test('an event nested deeper than can be written again is set aside, and the others are taken', async () => {
    const raw = `[${'['.repeat(100_000)}${']'.repeat(100_000)},${JSON.stringify(delivered())}]`
    expect((await post('sendgrid/main', raw, ecdsa(raw))).status).toBe(200)
    expect([counts.get('sendgrid set_aside'), counts.get('sendgrid accepted')]).toEqual([1, 1])
  })

  test('well signed, and no list: set aside', async () => {
    for (const raw of ['{}', 'nothing', '[{"event":"delivered"}]'])
      expect((await post('sendgrid/main', raw, ecdsa(raw))).status).toBe(200)
    expect(counts.get('sendgrid set_aside')).toBe(3)
  })
})

describe('stripe', () => {
  const seconds = (): number => Math.floor(nowMs / 1000)
  let customers = 0
  /** Something that bears our ids and no event of ours comes of it but when it counts: a refund. */
  const refunded = (tenant = tenantA): string => {
    customers += 1
    return `${JSON.stringify(
      {
        ...{ id: `evt_${customers}`, object: 'event', type: 'charge.refunded', created: seconds() },
        data: {
          object: {
            ...{ id: `ch_${customers}`, object: 'charge', customer: `cus_${customers}`, currency: 'usd' },
            ...{ amount_refunded: 500, payment_intent: `pi_${customers}` },
            metadata: { tenant_id: tenant, organization_id: organizationOf(tenant) },
          },
          previous_attributes: { amount_refunded: 0 },
        },
      },
      null,
      2,
    )}\n`
  }
  const v1 = (raw: string | Buffer, t: number, secret = 'whsec_main'): string =>
    createHmac('sha256', secret).update(`${t}.`).update(raw).digest('hex')
  const signed = (header: string): Headers => ({ 'stripe-signature': header })
  const good = (raw: string | Buffer, t = seconds(), secret = 'whsec_main') => signed(`t=${t},v1=${v1(raw, t, secret)}`)

  test.each<readonly [string, (raw: string) => Headers, number]>([
    ['none (21)', () => ({}), 401],
    ['empty (21)', () => signed(''), 401],
    ['too short (21)', (raw) => signed(`t=${seconds()},v1=${v1(raw, seconds()).slice(0, 40)}`), 401],
    ['not in hex (21)', (raw) => signed(`t=${seconds()},v1=${v1(raw, seconds()).slice(0, 63)}z`), 401],
    ['the right digest and one byte (21)', (raw) => signed(`t=${seconds()},v1=${v1(raw, seconds())}00`), 401],
    ['301 s old (23)', (raw) => good(raw, seconds() - 301), 401],
    ['301 s ahead (23)', (raw) => good(raw, seconds() + 301), 401],
    ['two times (23)', (raw) => signed(`t=${seconds()},t=${seconds()},v1=${v1(raw, seconds())}`), 401],
    ['v0 alone (23)', (raw) => signed(`t=${seconds()},v0=${v1(raw, seconds())}`), 401],
    [
      'fifty, one of them right (23)',
      (raw) => signed(`t=${seconds()},${`v1=${'0'.repeat(64)},`.repeat(49)}v1=${v1(raw, seconds())}`),
      400,
    ],
    ['good at the other endpoint (27)', (raw) => good(raw, seconds(), 'whsec_other'), 401],
    ['of another provider (27)', (raw) => signedBy(raw, 'whsec_main'), 401],
  ])('signature %s: refused, and no event (WH1, WH2)', async (_, headers, status) => {
    const raw = refunded()
    const before = (await world.written()).length
    const response = await post('stripe/main', raw, headers(raw))
    expect([response.status, await problem(response)]).toEqual([
      status,
      status === 401 ? 'bad_signature' : 'bad_request',
    ])
    expect((await world.written()).length).toBe(before)
    expect(counts.get('stripe refused')).toBe(1)
  })

  test('of another API version: refused until the endpoint is set right, then taken', async () => {
    const raw = refunded()
    const of = (api_version: string) => Buffer.from(JSON.stringify({ ...JSON.parse(raw.toString()), api_version }))
    const before = (await world.written()).length
    const told = async (body: Buffer) => {
      const response = await post('stripe/main', body, good(body, seconds()))
      return [response.status, response.status === 200 ? null : await problem(response)]
    }
    expect(await told(of('2024-06-20'))).toEqual([400, 'wrong_api_version'])
    expect([(await world.written()).length, counts.get('stripe refused')]).toEqual([before, 1])
    expect(await told(of('2026-10-28.endive'))).toEqual([200, null])
    expect((await world.written()).length).toBe(before + 1)
  })

  test('bytes that are not the signed ones: without blanks, another charset, packed, unpacked (22)', async () => {
    const raw = refunded()
    const headers = good(raw)
    const others: readonly (string | Buffer)[] = [
      JSON.stringify(JSON.parse(raw)),
      Buffer.from(raw, 'utf16le'),
      Buffer.concat([Buffer.of(0xef, 0xbb, 0xbf), Buffer.from(raw)]),
      gzipSync(raw),
    ]
    for (const other of others) expect((await post('stripe/main', other, headers)).status).toBe(401)
    expect((await post('stripe/main', gzipSync(raw), { ...headers, 'content-encoding': 'gzip' })).status).toBe(401)
    expect((await post('stripe/main', raw, good(gzipSync(raw)))).status).toBe(401)
    expect(counts.get('stripe accepted')).toBeUndefined()
  })

  test('the same delivery twice, and a day later under a new time: one event, of its tenant (24; WH3)', async () => {
    for (const tenant of [tenantA, tenantB]) {
      const raw = refunded(tenant)
      for (let n = 0; n < 2; n++) expect((await post('stripe/main', raw, good(raw))).status).toBe(200)
      nowMs += 24 * 3_600_000
      await world.ingest.sweep()
      expect((await post('stripe/main', raw, good(raw))).status).toBe(200)
      const events = (await world.written()).filter(({ event }) => JSON.stringify(event).includes(`ch_${customers}"`))
      expect(events.map(({ event }) => event.tenant_id)).toEqual([tenant])
    }
  })
})

describe('the door', () => {
  const headers = { 'x-secret': 'the plain secret' }
  const body = (said: Readonly<Record<string, string>>): string => JSON.stringify(said)

  test('what is not there, another method, too many bytes', async () => {
    for (const path of [
      'docusign/none',
      'none/eu',
      'docusign',
      'docusign/eu/x',
      'docusign/__proto__',
      'constructor/eu',
      '',
    ])
      expect((await post(path, '{}', headers)).status).toBe(404)
    const got = await fetch(`${server.url}/webhooks/docusign/eu`)
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST'])
    const large = 'x'.repeat(webhookDefaults.bodyLimitBytes + 1)
    expect((await post('docusign/eu', large, {})).status).toBe(413)
  })

  test('an object without a tenant waits until one that belongs to it is known (WH5)', async () => {
    expect((await post('plain/main', body({ id: 'w1', object: 'invoice', related: 'customer' }), headers)).status).toBe(
      200,
    )
    expect(counts.get('plain waiting')).toBe(1)
    await hooks.again()
    expect(counts.get('plain accepted')).toBeUndefined()
    await post('plain/main', body({ id: 'w2', object: 'customer', tenant: tenantB }), headers)
    await hooks.again()
    await hooks.again()
    const events = await eventsOf(tenantB, 'envelope_webhook_received')
    expect(events.filter(({ event }) => event['envelope_id'] === 'invoice')).toHaveLength(1)
    // The next one is known at once, and another tenant's word does not move it.
    await post('plain/main', body({ id: 'w3', object: 'customer', tenant: tenantA }), headers)
    await post('plain/main', body({ id: 'w4', object: 'charge', related: 'customer' }), headers)
    const later = await eventsOf(tenantB, 'envelope_webhook_received')
    expect(later.filter(({ event }) => event['envelope_id'] === 'charge')).toHaveLength(1)
  })

  test('waits three days at most', async () => {
    await post('plain/main', body({ id: 'lost', object: 'nobody' }), headers)
    nowMs += webhookDefaults.waitsAtMostMs - 60_000
    await hooks.again()
    expect(counts.get('plain set_aside')).toBeUndefined()
    nowMs += 120_000
    await hooks.again()
    expect(counts.get('plain set_aside')).toBe(1)
    const { rows } = await world.pool.query(`select reason from auth.webhooks_waiting where delivery_id = 'lost'`)
    expect(rows).toEqual([{ reason: 'no tenant is known for it' }])
  })

  const waiting = (id: string) =>
    world.pool
      .query<{ row: string; sealed: Buffer | null; payload: unknown }>(
        'select w::text as row, sealed, payload from auth.webhooks_waiting w where delivery_id = $1',
        [id],
      )
      .then(({ rows }) => rows)
  const room = (of = box) => postgresWaitingRoom(world.pool, of)
  const doorOver = (more: Partial<Parameters<typeof createWebhooks>[0]>) =>
    createWebhooks({
      ...{ verifiers: [plain], secrets, ingest: world.ingest, room: room(), settings: webhookDefaults },
      clock: { ...systemClock, now: () => nowMs },
      counted: (provider, outcome) =>
        counts.set(`${provider} ${outcome}`, (counts.get(`${provider} ${outcome}`) ?? 0) + 1),
      ...more,
    })

  test('what waits is not readable in the database, and comes out whole, whatever is in it (WH5)', async () => {
    const reason = 'Ada Byron says no'
    for (const tenant of [tenantA, tenantB]) {
      const object = `sealed-${tenant.slice(0, 2)}`
      await post('plain/main', body({ id: `${object}-1`, object, reason }), headers)
      const [row] = await waiting(`${object}-1`)
      expect(row!.payload).toEqual({})
      expect(row!.sealed!.toString('latin1') + row!.row).not.toContain('Ada')
      await post('plain/main', body({ id: `${object}-2`, object, tenant }), headers)
      await hooks.again()
      const events = await eventsOf(tenant, 'envelope_webhook_received')
      expect(events.find(({ event }) => event['delivery_id'] === `${object}-1`)?.event['reason']).toBe(reason)
      expect(await waiting(`${object}-1`)).toEqual([])
    }
  })

  test('a text that the database could not hold waits too, and is set aside when it is judged', async () => {
    const said = body({ id: 'nul-1', object: 'nul', reason: 'a\u0000b' })
    expect((await post('plain/main', said, headers)).status).toBe(200)
    expect(counts.get('plain waiting')).toBe(1)
    await post('plain/main', body({ id: 'nul-2', object: 'nul', tenant: tenantA }), headers)
    await hooks.again()
    expect((await waiting('nul-1'))[0]!.row).toContain('not a envelope_webhook_received')
  })

  test('one that came before this was encrypted is taken too', async () => {
    await post('plain/main', body({ id: 'old-1', object: 'old' }), headers)
    const payload = { envelope_id: 'old', event: 'e', generated_at: 1, delivery_id: 'old-1' }
    await world.pool.query(`update auth.webhooks_waiting set sealed = null, payload = $1 where delivery_id = 'old-1'`, [
      payload,
    ])
    await post('plain/main', body({ id: 'old-2', object: 'old', tenant: tenantB }), headers)
    await hooks.again()
    const events = await eventsOf(tenantB, 'envelope_webhook_received')
    expect(events.filter(({ event }) => event['delivery_id'] === 'old-1')).toHaveLength(1)
  })

  test('under another secret it does not open: set aside with the reason, nothing else is kept', async () => {
    await post('plain/main', body({ id: 'shut', object: 'shut' }), headers)
    await doorOver({ room: room(secretBox('another secret of thirty-two chars', 'webhooks that wait')) }).again()
    expect((await waiting('shut'))[0]).toMatchObject({ payload: {}, sealed: null })
    expect((await waiting('shut'))[0]!.row).toContain('CODE_SECRET is another one now')
    await world.pool.query('delete from auth.webhooks_waiting where reason is not null')
  })

  test('however many wait for nothing, those behind them are looked at (WH5)', async () => {
    for (let n = 0; n < 5; n++) await post('plain/main', body({ id: `many-${n}`, object: `strange-${n}` }), headers)
    nowMs += 1_000
    await post('plain/main', body({ id: 'behind', object: 'known' }), headers)
    await post('plain/main', body({ id: 'known', object: 'known', tenant: tenantA }), headers)
    await doorOver({ settings: { ...webhookDefaults, roundSize: 2 } }).again()
    const events = await eventsOf(tenantA, 'envelope_webhook_received')
    expect(events.filter(({ event }) => event['delivery_id'] === 'behind')).toHaveLength(1)
    expect(await waiting('many-4')).toHaveLength(1)
  })

  test('one that cannot be taken keeps no other waiting, and is told of (WH5)', async () => {
    for (const id of ['stuck', 'free']) {
      await post('plain/main', body({ id: `${id}-1`, object: id }), headers)
      await post('plain/main', body({ id: `${id}-2`, object: id, tenant: tenantB }), headers)
      nowMs += 1_000
    }
    const ingest: Parameters<typeof createWebhooks>[0]['ingest'] = {
      command: async (command, key) => {
        if (key?.includes('stuck') === true) throw new TypeError('a bug of ours')
        return world.ingest.command(command, key)
      },
    }
    await expect(doorOver({ ingest }).again()).rejects.toThrow('a bug of ours')
    expect(await waiting('free-1')).toEqual([])
    expect(await waiting('stuck-1')).toHaveLength(1)
    await hooks.again()
    expect(await waiting('stuck-1')).toEqual([])
  })

  test('that something was set aside is forgotten after a while', async () => {
    await post('plain/main', body({ id: 'aside', object: 'x', tenant: tenantA, type: 'document_viewed' }), headers)
    nowMs += webhookDefaults.setAsideKeptMs - 60_000
    await hooks.again()
    expect(await waiting('aside')).toHaveLength(1)
    nowMs += 120_000
    await hooks.again()
    expect(await waiting('aside')).toEqual([])
  })

  test('metadata that is no tenant of ours is none', async () => {
    await post('plain/main', body({ id: 'odd', object: 'odd', tenant: 'a|b' }), headers)
    expect(counts.get('plain waiting')).toBe(1)
  })

  test('a payload that is not of its type is set aside', async () => {
    await post('plain/main', body({ id: 'bad', object: 'bad', tenant: tenantA, type: 'document_viewed' }), headers)
    expect(counts.get('plain set_aside')).toBe(1)
  })

  test('while nothing can be written the sender is told to come again (WH4)', async () => {
    const away = createWebhooks({
      ...{ verifiers: [plain], secrets, clock: systemClock, settings: webhookDefaults },
      room: postgresWaitingRoom(world.pool, box),
      ingest: world.another({ transactionalId: 'closed' }),
    })
    const closed = world.another({ transactionalId: 'gone' })
    await closed.close()
    const broken = createWebhooks({
      ...{ verifiers: [plain], secrets, clock: systemClock, settings: webhookDefaults },
      room: postgresWaitingRoom(world.pool, box),
      ingest: closed,
    })
    for (const [which, status] of [
      [broken, 503],
      [away, 200],
    ] as const) {
      await using door = await serve([], {}, { mounts: { '/webhooks': which.handler } })
      const said = body({ id: 'retried', object: 'r', tenant: tenantA })
      const response = await fetch(`${door.url}/webhooks/plain/main`, { method: 'POST', body: said, headers })
      expect(response.status).toBe(status)
    }
    const events = await eventsOf(tenantA, 'envelope_webhook_received')
    expect(events.filter(({ event }) => event['delivery_id'] === 'retried')).toHaveLength(1)
  })
})
