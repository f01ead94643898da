import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import type { ClientError, ClientOptions, EventClient, EventToSend, HttpTransportOptions } from '../../client/index.ts'
import { httpTransport, openClient } from '../../client/index.ts'
import { retryAfterMs } from '../../client/http/attempt.ts'
import type { ScriptedPlatform } from './scripted-platform.ts'
import { scriptedPlatform, written } from './scripted-platform.ts'

const topic = 'communication_events'
type Preference = EventToSend<typeof topic>
const preference = (source: string, more: Partial<Preference> = {}): Preference => ({
  type: 'contact_preference_changed',
  payload: { contact_id: 'u1', channel: 'email', subscribed: true, preference_source: source },
  ...more,
})
const clients: EventClient[] = []
afterEach(async () => void (await Promise.all(clients.splice(0).map((client) => client.close()))))

async function open(
  { fetch }: ScriptedPlatform,
  more: Partial<HttpTransportOptions> = {},
  options: Partial<ClientOptions> = {},
): Promise<EventClient> {
  const transport = httpTransport({ url: 'http://platform.example/', credential: 'lck_1', fetch, ...more })
  const client = await openClient({ name: 'p', transport, closeGraceMs: 100, ...options })
  clients.push(client)
  return client
}
const errorOf = (promise: Promise<unknown>): Promise<ClientError> =>
  promise.then(
    () => expect.fail('it was sent'),
    (error: unknown) => error as ClientError,
  )
const sourcesIn = (events: readonly Readonly<Record<string, unknown>>[]): readonly unknown[] =>
  events.map(({ payload }) => (payload as { preference_source: string }).preference_source)

test.each([
  [{ status: 408 }],
  [{ status: 429, body: { code: 'too_many_requests' } }],
  [{ status: 500, body: { code: 'internal_error' } }],
  [{ status: 502 }],
  [{ status: 503, body: { code: 'log_unavailable' } }],
  [{ status: 504 }],
  [{ code: 'ECONNRESET' }],
  [{ code: 'ECONNREFUSED' }],
  [{ status: 202, body: { events: [] } }],
  [{ status: 202, body: {} }],
] as const)('after %j the same request is sent again (HT2)', async (trouble) => {
  const platform = scriptedPlatform(trouble, trouble)
  const client = await open(platform)
  expect(await client.send(topic, preference('a'))).toMatchObject({ eventId: 'e0', position: 't-0@0' })
  expect(platform.asked).toHaveLength(3)
  expect(new Set(platform.asked.map(({ key }) => key)).size).toBe(1)
  expect(new Set(platform.asked.map(({ body }) => body)).size).toBe(1)
  expect(platform.asked[0]).toMatchObject({ url: 'http://platform.example/api/v1/events', credential: 'Bearer lck_1' })
  expect(client.stats().retries).toBe(2)
  const [first, second, third] = platform.asked.map(({ atMs }) => atMs)
  expect(second! - first!).toBeGreaterThanOrEqual(75)
  expect(third! - second!).toBeGreaterThanOrEqual(155)
})

test('an attempt without answer is given up and made again', async () => {
  const platform = scriptedPlatform('silence')
  const client = await open(platform, { requestTimeoutMs: 50 })
  await client.send(topic, preference('a'))
  expect(platform.asked).toHaveLength(2)
})

describe('Retry-After', () => {
  test('is waited for, and a 429 holds back the other requests too', async () => {
    const platform = scriptedPlatform({ status: 429, headers: { 'retry-after': '1' } })
    const client = await open(platform)
    const first = client.send(topic, preference('a', { sequence: 1 }))
    await sleep(50)
    const second = client.send('research_events', {
      type: 'research_requested',
      payload: { company_name: 'Acme', domain: null, depth: 'quick', reason: 'asked' },
    })
    await Promise.all([first, second])
    const [refused, ...later] = platform.asked.map(({ atMs }) => atMs)
    expect(later).toHaveLength(2)
    for (const at of later) expect(at - refused!).toBeGreaterThanOrEqual(990)
  })
  test('beyond the time there is ends the attempts at once', async () => {
    const platform = scriptedPlatform({ status: 503, headers: { 'retry-after': '60' }, body: { code: 'overloaded' } })
    const client = await open(platform, {}, { deliveryTimeoutMs: 2_000 })
    const begun = performance.now()
    expect((await errorOf(client.send(topic, preference('a')))).code).toBe('TIMEOUT')
    expect(performance.now() - begun).toBeLessThan(1_500)
  })
  test.each([
    ['2', 2_000],
    [new Date(1_767_225_605_000).toUTCString(), 5_000],
    [new Date(1_767_225_595_000).toUTCString(), 0],
    ['soon', 0],
    [null, 0],
  ])('%j is %d ms', (text, ms) => {
    expect(retryAfterMs(text, 1_767_225_600_000)).toBe(ms)
  })
})

describe('what the platform will not have', () => {
  const refusal = (status: number, code: string, more: object = {}) => ({
    status,
    body: { code, detail: 'No.', ...more },
  })

  test('is said once, with its field, and not sent again', async () => {
    const errors = [{ field: 'payload.channel', code: 'not_one_of', message: 'x' }]
    const platform = scriptedPlatform(refusal(422, 'not_one_of', { errors }))
    const client = await open(platform)
    const error = await errorOf(client.send(topic, preference('a')))
    expect([error.code, error.then, error.field]).toEqual(['REFUSED', 'stop', 'payload.channel'])
    expect(error.message).toBe('The platform refuses it: 422 not_one_of: No.')
    expect(platform.asked).toHaveLength(1)
  })

  test('does not take the others of its request along; they go under another key, in order', async () => {
    const platform = scriptedPlatform(refusal(422, 'bad_key', { index: 1 }))
    const client = await open(platform)
    const sent = await Promise.allSettled(['a', 'b', 'c'].map((source) => client.send(topic, preference(source))))
    expect(sent.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(platform.asked.map(({ events }) => sourcesIn(events))).toEqual([
      ['a', 'b', 'c'],
      ['a', 'c'],
    ])
    expect(platform.asked[0]!.key).not.toBe(platform.asked[1]!.key)
  })

  test('when it is not said which, halves are tried', async () => {
    const platform = scriptedPlatform(refusal(413, 'too_large'), written(2), refusal(413, 'too_large'))
    const client = await open(platform)
    const sent = await Promise.allSettled(['a', 'b', 'c'].map((source) => client.send(topic, preference(source))))
    expect(sent.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
    expect(platform.asked.map(({ events }) => sourcesIn(events))).toEqual([['a', 'b', 'c'], ['a', 'b'], ['c']])
  })

  test('what may have been written is not sent in another shape (HT3)', async () => {
    const platform = scriptedPlatform({ code: 'ECONNRESET' }, refusal(422, 'timestamp_out_of_range', { index: 0 }))
    const client = await open(platform)
    const sent = ['a', 'b'].map((source) => errorOf(client.send(topic, preference(source))))
    expect((await Promise.all(sent)).map(({ code }) => code)).toEqual(['OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN'])
    expect(platform.asked).toHaveLength(2)
  })

  test('a token that has run out is asked for once more', async () => {
    const platform = scriptedPlatform(refusal(401, 'unauthorized'))
    let tokens = 0
    const client = await open(platform, { credential: () => `token-${(tokens += 1)}` })
    await client.send(topic, preference('a'))
    await client.send(topic, preference('b'))
    expect(platform.asked.map(({ credential }) => credential)).toEqual([
      'Bearer token-1',
      'Bearer token-2',
      'Bearer token-2',
    ])
    const refused = scriptedPlatform(refusal(401, 'unauthorized'), refusal(401, 'unauthorized'))
    const other = await open(refused, { credential: () => 'wrong' })
    expect((await errorOf(other.send(topic, preference('a')))).code).toBe('UNAUTHORIZED')
    expect(refused.asked).toHaveLength(2)
  })

  test('a key is not asked for again, and halves would not help', async () => {
    const platform = scriptedPlatform(refusal(401, 'unauthorized'))
    const client = await open(platform)
    const sent = ['a', 'b'].map((source) => errorOf(client.send(topic, preference(source))))
    expect((await Promise.all(sent)).map(({ code }) => code)).toEqual(['UNAUTHORIZED', 'UNAUTHORIZED'])
    expect(platform.asked).toHaveLength(1)
  })

  test('a credential that cannot be had is waited for', async () => {
    const platform = scriptedPlatform()
    let asked = 0
    const client = await open(platform, {
      credential: () => {
        asked += 1
        if (asked === 1) throw new Error('the vault is away')
        return 'token'
      },
    })
    await client.send(topic, preference('a'))
    expect([asked, platform.asked.length]).toEqual([2, 1])
  })
})

describe('Idempotency-Key (HT1)', () => {
  const keysOf = async (name: string, events: readonly Preference[], isBatch = false): Promise<readonly string[]> => {
    const platform = scriptedPlatform()
    const client = await open(platform, {}, { name })
    if (isBatch) await client.sendBatch(topic, events)
    else for (const event of events) await client.send(topic, event)
    return platform.asked.map(({ key }) => key)
  }
  const numbered = [1, 2].map((sequence) => preference('a', { sequence }))
  const identified = ['x', 'y'].map((id) => preference('a', { id }))

  test('follows from producer, entity and sequence, or from producer and id; in every process the same', async () => {
    for (const events of [numbered, identified])
      for (const isBatch of [false, true]) {
        const keys = await keysOf('p', events, isBatch)
        expect(await keysOf('p', events, isBatch)).toEqual(keys)
        expect(new Set([...keys, ...(await keysOf('q', events, isBatch))]).size).toBe(2 * keys.length)
      }
    const elsewhere = preference('a', { sequence: 1 })
    const moved = { ...elsewhere, payload: { ...elsewhere.payload, contact_id: 'u2' } }
    expect(await keysOf('p', [moved])).not.toEqual(await keysOf('p', [elsewhere]))
  })

  test('a named event is sent as the same bytes in every process, alone; others share a request under a key of its own', async () => {
    const bodies: string[] = []
    for (let life = 0; life < 2; life++) {
      const platform = scriptedPlatform()
      const client = await open(platform)
      const receipts = await Promise.all([
        client.send(topic, preference('a', { id: 'x' })),
        client.send(topic, preference('b')),
        client.send(topic, preference('c')),
        client.send(topic, preference('d', { sequence: 1 }) as never).catch((error: unknown) => error as ClientError),
      ])
      expect(platform.asked.map(({ events }) => sourcesIn(events))).toEqual([['a'], ['b', 'c']])
      // The client has begun to count this entity, so the sender may not.
      expect(receipts[3]).toMatchObject({ code: 'BAD_SEQUENCE' })
      expect(receipts[0]).toMatchObject({ sequence: null })
      expect(platform.asked[0]!.events[0]).not.toHaveProperty('sequence')
      expect(platform.asked[1]!.events[0]).toMatchObject({ producer: 'p', sequence: expect.any(Number) })
      bodies.push(platform.asked[0]!.body)
      if (life === 1) expect(platform.asked[1]!.key).not.toBe('')
      await sleep(5)
    }
    expect(bodies[0]).toBe(bodies[1])
  })
})

test('several requests are under way at once, but one of an entity', async () => {
  const platform = scriptedPlatform('silence', 'silence', 'silence')
  const client = await open(platform, { concurrency: 3 })
  const failures = [
    ...['u1', 'u2', 'u1', 'u3', 'u4'].map((contact, n) =>
      errorOf(
        client.send(topic, {
          ...preference(`${n}`, { sequence: n + 1 }),
          payload: { ...preference(`${n}`).payload, contact_id: contact },
        }),
      ),
    ),
  ]
  await sleep(30)
  expect(platform.asked.map(({ events }) => sourcesIn(events))).toEqual([['0'], ['1'], ['3']])
  await client.close()
  await Promise.all(failures)
})

test('an address that is none is said at once', async () => {
  await expect(
    openClient({ name: 'p', transport: httpTransport({ url: 'platform', credential: '' }) }),
  ).rejects.toThrow('url: "platform" is given')
  await expect(
    openClient({ name: 'a b', transport: httpTransport({ url: 'http://x', credential: '' }) }),
  ).rejects.toThrow('name: expected')
})
