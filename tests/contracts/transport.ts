/** What the client must do over every transport (CL1 to CL5); a fault strikes where the transport meets the other side. */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ClientError, ClientOptions, EventClient, EventToSend, Tenant } from '../../client/index.ts'
import type { AnyEvent } from '../../schemas/index.ts'

export interface WrittenEvent {
  readonly topic: string
  readonly position: string
  readonly key: string
  readonly timestamp: number
  readonly headers: readonly { readonly key: string; readonly value: Buffer }[]
  readonly event: AnyEvent
}

export interface TransportWorld {
  readonly tenants: readonly [Tenant, Tenant]
  /** A client of this tenant; `name` is the producer's. */
  open(name: string, tenant: Tenant, options?: Partial<ClientOptions>): Promise<EventClient>
  /** Everything that is committed, in order per partition. */
  written(): Promise<readonly WrittenEvent[]>
  /** The next so many deliveries have their effect, and their answer is lost; after the last of them nothing gets through, if told. */
  loseAnswers(count: number, thenIsDown?: boolean): void
  /** The next so many deliveries fail before they have an effect. */
  refuse(count: number): void
  /** Nothing gets through from now on, or does again. */
  down(isDown: boolean): void
  close(): Promise<void>
}

/** A broker takes its time on a machine that is busy. */
const startWithinMs = 5 * 60_000

type Preference = EventToSend<'communication_events'>
const preference = (contact: string, source: string, more: Partial<Preference> = {}): Preference => ({
  type: 'contact_preference_changed',
  payload: { contact_id: contact, channel: 'email', subscribed: true, preference_source: source },
  ...more,
})
const topic = 'communication_events'
const errorOf = (promise: Promise<unknown>): Promise<ClientError> =>
  promise.then(
    () => expect.fail('it was sent'),
    (error: unknown) => error as ClientError,
  )

export function transportContract(name: string, openWorld: () => Promise<TransportWorld>): void {
  describe(`client: ${name}`, () => {
    let world: TransportWorld
    let [tests, producer] = [0, '']
    const clients: EventClient[] = []
    beforeAll(async () => {
      world = await openWorld()
    }, startWithinMs)
    afterAll(async () => {
      await Promise.all(clients.map((client) => client.close()))
      await world?.close()
    })
    beforeEach(() => {
      world.down(false)
      producer = `p${(tests += 1)}`
    })

    const open = async (options: Partial<ClientOptions> = {}, of = 0, as = producer): Promise<EventClient> => {
      const client = await world.open(as, world.tenants[of]!, options)
      clients.push(client)
      return client
    }
    const headerOf = ({ headers }: WrittenEvent, key: string): string | undefined =>
      headers.find((header) => header.key === key)?.value.toString()
    /** What this test's producer has written. */
    const mine = async (): Promise<readonly WrittenEvent[]> =>
      (await world.written()).filter((record) => headerOf(record, 'producer') === producer)
    const sourcesOf = (records: readonly WrittenEvent[], contact: string): readonly unknown[] =>
      records.filter(({ event }) => event.contact_id === contact).map(({ event }) => event.preference_source)
    const sequencesOf = (records: readonly WrittenEvent[], contact: string): readonly number[] =>
      records.filter(({ event }) => event.contact_id === contact).map((record) => Number(headerOf(record, 'sequence')))

    test('an event is written as the platform writes it, for each of two tenants, and answered with its place', async () => {
      for (const of of [0, 1]) {
        const client = await open({}, of, `${producer}-${of}`)
        const receipt = await client.send(topic, preference('u1', 'call', { sequence: 7 }))
        const record = (await world.written()).find(({ position }) => position === receipt.position)!
        const { tenantId, organizationId } = world.tenants[of]!
        expect(receipt).toEqual({
          eventId: record.event.event_id,
          position: record.position,
          sequence: 7,
          duplicate: false,
        })
        expect(record.key).toBe(`${tenantId}|u1`)
        expect(record.headers.map(({ key, value }) => [key, value.toString()])).toEqual([
          ['producer', `${producer}-${of}`],
          ['sequence', '7'],
        ])
        expect(record.event).toEqual({
          event_id: expect.any(String),
          event_type: 'contact_preference_changed',
          event_version: 1,
          timestamp: record.timestamp,
          tenant_id: tenantId,
          organization_id: organizationId,
          correlation_id: organizationId,
          causation_id: '',
          source: expect.any(String),
          actor: { type: 'system', id: expect.any(String) },
          ...preference('u1', 'call').payload,
        })
        expect(Math.abs(record.timestamp - Date.now())).toBeLessThan(60_000)
      }
    })

    test('an event may tell its time; one of long ago is marked late', async () => {
      const client = await open()
      const [soon, longAgo] = [Date.now() - 1_000, Date.now() - 2 * 86_400_000]
      await client.send(topic, preference('u1', 'soon', { timestamp: soon }))
      await client.send(topic, preference('u1', 'late', { timestamp: longAgo }))
      const written = await mine()
      expect(written.map(({ timestamp }) => timestamp)).toEqual([soon, longAgo])
      expect(written.map((record) => headerOf(record, 'late'))).toEqual([undefined, 'true'])
    })

    test('what is wrong with an event is said before anything is sent, with its field (CL4)', async () => {
      const client = await open()
      const bad: readonly [unknown, string, unknown][] = [
        ['nowhere', 'topic', preference('u1', 'x')],
        [topic, 'type', { ...preference('u1', 'x'), type: 'nothing' }],
        [topic, 'type', { ...preference('u1', 'x'), type: 'message_sent' }],
        [
          topic,
          'payload.channel',
          { ...preference('u1', 'x'), payload: { ...preference('u1', 'x').payload, channel: 'fax' } },
        ],
        [
          topic,
          'payload.contact_id',
          { type: 'contact_preference_changed', payload: { channel: 'sms', subscribed: true, preference_source: 'x' } },
        ],
        [topic, 'payload.contact_id', preference('a|b', 'x')],
        [topic, 'payload.contact_id', preference('', 'x')],
        [topic, 'payload.more', { ...preference('u1', 'x'), payload: { ...preference('u1', 'x').payload, more: 1 } }],
        [topic, 'timestamp', preference('u1', 'x', { timestamp: Date.now() + 3_600_000 })],
        [topic, 'timestamp', preference('u1', 'x', { timestamp: 1.5 })],
        [topic, 'sequence', preference('u1', 'x', { sequence: 0 })],
        [topic, 'id', preference('u1', 'x', { id: 'with a blank' })],
        [topic, 'priority', { ...preference('u1', 'x'), priority: 'urgent' }],
        [topic, 'payloads', { ...preference('u1', 'x'), payloads: {} }],
        [topic, 'tenant', { ...preference('u1', 'x'), tenant: { tenantId: 't' } }],
      ]
      for (const [where, field, event] of bad) {
        const error = await errorOf(client.send(where as never, event as never))
        expect([error.code, error.field, error.then]).toEqual(['INVALID_EVENT', field, 'stop'])
        expect(error.message.split('\n')).toHaveLength(1)
      }
      const inBatch = await errorOf(client.sendBatch(topic, [preference('u1', 'x'), preference('a|b', 'x')]))
      expect([inBatch.field, inBatch.message.startsWith('events[1]: ')]).toEqual(['events[1].payload.contact_id', true])
      expect(await mine()).toEqual([])
      expect(client.stats()).toMatchObject({ accepted: 0, failed: 0 })
    })

    test('of each entity events are written in the order of the calls, numbered without a gap (CL3)', async () => {
      const client = await open()
      const receipts = await Promise.all(
        Array.from({ length: 400 }, (_, n) => client.send(topic, preference(`c${n % 7}`, String(n)))),
      )
      const written = await mine()
      expect(written).toHaveLength(400)
      for (let contact = 0; contact < 7; contact++) {
        const sources = Array.from({ length: 400 }, (_, n) => n).filter((n) => n % 7 === contact)
        expect(sourcesOf(written, `c${contact}`)).toEqual(sources.map(String))
        const sequences = sequencesOf(written, `c${contact}`)
        expect(sequences).toEqual(sequences.map((_, n) => sequences[0]! + n))
        expect(sources.map((n) => receipts[n]!.sequence)).toEqual(sequences)
      }
      expect(client.stats()).toMatchObject({
        accepted: 400,
        acknowledged: 400,
        queuedBytes: 0,
        waitingEvents: 0,
        underWayEvents: 0,
      })
    })

    test('what counts by itself goes on above what an earlier process has counted', async () => {
      const first = await open()
      await first.send(topic, preference('u1', 'a'))
      await first.close()
      await sleep(2)
      const second = await open()
      await second.send(topic, preference('u1', 'b'))
      const sequences = sequencesOf(await mine(), 'u1')
      expect(sequences).toHaveLength(2)
      expect(sequences[1]).toBeGreaterThan(sequences[0]!)
    })

    test('answers that are lost make no duplicates, and move nothing', async () => {
      const client = await open()
      world.loseAnswers(2)
      const sent = Array.from({ length: 60 }, (_, n) => client.send(topic, preference(`c${n % 3}`, String(n))))
      await Promise.all(sent)
      const named = Array.from({ length: 20 }, (_, n) =>
        client.send(topic, preference('named', String(n), { sequence: n + 1 })),
      )
      world.loseAnswers(2)
      await Promise.all(named)
      const written = await mine()
      expect(written).toHaveLength(80)
      expect(sourcesOf(written, 'c1')).toEqual(Array.from({ length: 20 }, (_, n) => String(3 * n + 1)))
      expect(sourcesOf(written, 'named')).toEqual(Array.from({ length: 20 }, (_, n) => String(n)))
      expect(client.stats().retries).toBeGreaterThanOrEqual(2)
      expect(client.stats()).toMatchObject({ acknowledged: 80, failed: 0, duplicates: 0 })
    })

    test('failures before the effect are tried again, in order', async () => {
      const client = await open()
      world.refuse(3)
      await Promise.all(
        Array.from({ length: 30 }, (_, n) => client.send(topic, preference('c', String(n), { sequence: n + 1 }))),
      )
      const written = await mine()
      expect(sourcesOf(written, 'c')).toEqual(Array.from({ length: 30 }, (_, n) => String(n)))
      expect(sequencesOf(written, 'c')).toEqual(Array.from({ length: 30 }, (_, n) => n + 1))
      expect(client.stats().retries).toBeGreaterThanOrEqual(3)
    })

    test('sent again by a later process, numbered events are written once, alone and in batches', async () => {
      const events = Array.from({ length: 30 }, (_, n) =>
        preference(`c${n % 2}`, String(n), { sequence: 1 + Math.floor(n / 2) }),
      )
      const [alone, together] = [events.slice(0, 10), events.slice(10)]
      const first = await open()
      for (const event of alone) await first.send(topic, event)
      await first.sendBatch(topic, together)
      await first.close()
      const second = await open()
      for (const event of alone) await second.send(topic, event)
      await second.sendBatch(topic, together)
      await second.send(topic, preference('c0', 'new', { sequence: 16 }))
      const written = await mine()
      expect(written).toHaveLength(31)
      expect(sequencesOf(written, 'c0')).toEqual(Array.from({ length: 16 }, (_, n) => n + 1))
      expect(sequencesOf(written, 'c1')).toEqual(Array.from({ length: 15 }, (_, n) => n + 1))
      expect(new Set(written.map(({ event }) => event.event_id)).size).toBe(31)
    })

    test('the same numbers of another tenant or another producer are other events', async () => {
      const sent = preference('u1', 'x', { sequence: 1 })
      const positions = new Set<string | null>()
      for (const [of, as] of [
        [0, producer],
        [1, `${producer}-b`],
        [0, `${producer}-c`],
      ] as const)
        positions.add((await (await open({}, of, as)).send(topic, sent)).position)
      expect(positions.size).toBe(3)
    })

    test('a batch is one piece; what is not above the last number is refused before it is sent', async () => {
      const client = await open()
      const receipts = await client.sendBatch(
        topic,
        [1, 2, 3].map((n) => preference('u1', String(n), { sequence: n })),
      )
      expect(receipts.map(({ sequence }) => sequence)).toEqual([1, 2, 3])
      expect(await client.sendBatch(topic, [])).toEqual([])
      for (const sequence of [3, 1]) {
        const error = await errorOf(client.send(topic, preference('u1', 'again', { sequence })))
        expect([error.code, error.field]).toEqual(['BAD_SEQUENCE', 'sequence'])
      }
      expect(sourcesOf(await mine(), 'u1')).toEqual(['1', '2', '3'])
    })

    test('what was given up may be sent again under its number, and is written once (CL1)', async () => {
      const client = await open({ deliveryTimeoutMs: 300 })
      world.down(true)
      const error = await errorOf(client.send(topic, preference('u1', 'x', { sequence: 1 })))
      expect([error.code, error.then]).toEqual(['TIMEOUT', 'retry'])
      world.down(false)
      await client.send(topic, preference('u1', 'x', { sequence: 1 }))
      expect(sourcesOf(await mine(), 'u1')).toEqual(['x'])
      expect(client.stats()).toMatchObject({ accepted: 2, acknowledged: 1, failed: 1 })
    })

    test('what was given up keeps its turn: nothing behind it is written before, in this life or the next (CL5)', async () => {
      const client = await open({ deliveryTimeoutMs: 1_500 })
      const send = (sequence: number) => client.send(topic, preference('u1', String(sequence), { sequence }))
      world.down(true)
      const first = errorOf(send(1))
      await sleep(200)
      const others = [2, 3].map((sequence) => errorOf(send(sequence)))
      const failures = await Promise.all([first, ...others])
      world.down(false)
      expect(failures.map(({ code, then }) => [code, then])).toEqual([
        ['TIMEOUT', 'retry'],
        ['EARLIER_FAILED', 'retry'],
        ['EARLIER_FAILED', 'retry'],
      ])
      const later = await errorOf(send(4))
      expect([later.code, later.then]).toEqual(['EARLIER_FAILED', 'retry'])
      await client.send(topic, preference('u2', 'other', { sequence: 1 }))
      expect(sourcesOf(await mine(), 'u1')).toEqual([])
      const again = await Promise.all([1, 2, 3, 4].map(send))
      expect(again.map(({ duplicate, position }) => [duplicate, position !== null])).toEqual(
        Array(4).fill([false, true]),
      )
      await client.close()
      const second = await open()
      for (const sequence of [1, 2, 3, 4]) await second.send(topic, preference('u1', String(sequence), { sequence }))
      expect(sourcesOf(await mine(), 'u1')).toEqual(['1', '2', '3', '4'])
      expect(client.stats()).toMatchObject({ accepted: 8, acknowledged: 5, failed: 3, queuedBytes: 0 })
    })

    test('what was given up by dropping keeps its turn too, until it is left out (CL5)', async () => {
      const client = await open({ queueBytes: 2_000, whenFull: 'drop' })
      const event = (contact: string, sequence: number, more: Partial<Preference> = {}) =>
        preference(contact, String(sequence), { sequence, ...more })
      const sent = Promise.all(
        [1, 2, 3].map((sequence) => errorOf(client.send(topic, event('u1', sequence, { priority: 'low' })))),
      )
      const urgent = client.send(topic, event('u2', 1, { priority: 'high' }))
      expect((await sent).map(({ code, then }) => [code, then])).toEqual([
        ['DROPPED', 'retry'],
        ['EARLIER_FAILED', 'retry'],
        ['EARLIER_FAILED', 'retry'],
      ])
      await urgent
      expect(client.stats()).toMatchObject({ dropped: { low: 1, normal: 0, high: 0 }, failed: 2 })
      expect((await errorOf(client.send(topic, event('u1', 2)))).code).toBe('EARLIER_FAILED')
      client.leaveOut(topic, event('u1', 1))
      await client.send(topic, event('u1', 2))
      expect((await errorOf(client.send(topic, event('u1', 4)))).code).toBe('EARLIER_FAILED')
      for (const sequence of [3, 4]) await client.send(topic, event('u1', sequence))
      expect(sourcesOf(await mine(), 'u1')).toEqual(['2', '3', '4'])
    })

    test('a lost answer after which nothing gets through is an outcome that nobody knows', async () => {
      const client = await open({ deliveryTimeoutMs: 400 })
      world.loseAnswers(1, true)
      const failure = errorOf(client.send(topic, preference('u1', 'x', { sequence: 1 })))
      expect((await failure).code).toBe('OUTCOME_UNKNOWN')
      world.down(false)
      await client.send(topic, preference('u1', 'x', { sequence: 1 }))
      expect(sourcesOf(await mine(), 'u1')).toEqual(['x'])
    })

    test('a full queue waits for room, and bounds those that wait (CL2)', async () => {
      const client = await open({ queueBytes: 4_000, waitingCalls: 3 })
      world.down(true)
      const sent = Array.from({ length: 30 }, (_, n) => client.send(topic, preference('u1', String(n))))
      const outcomes = Promise.allSettled(sent)
      const { queuedBytes, waitingForRoom, failed, accepted } = client.stats()
      expect(queuedBytes).toBeLessThanOrEqual(4_000)
      expect([waitingForRoom, accepted]).toEqual([3, 30])
      world.down(false)
      const codes = (await outcomes).map((outcome) =>
        outcome.status === 'fulfilled' ? 'sent' : (outcome.reason as ClientError).code,
      )
      expect(codes.filter((code) => code === 'QUEUE_FULL')).toHaveLength(failed)
      expect(codes.filter((code) => code === 'sent')).toHaveLength(30 - failed)
      expect(failed).toBeGreaterThan(15)
      const kept = codes.flatMap((code, n) => (code === 'sent' ? [String(n)] : []))
      expect(sourcesOf(await mine(), 'u1')).toEqual(kept)
    })

    test('or drops by priority, and counts it', async () => {
      const client = await open({ queueBytes: 4_000, whenFull: 'drop' })
      world.down(true)
      const sent = (['low', 'normal', 'high'] as const).flatMap((priority) =>
        Array.from({ length: 5 }, (_, n) => client.send(topic, preference(`${priority}${n}`, priority, { priority }))),
      )
      const settled = Promise.allSettled(sent)
      world.down(false)
      const lost = (await settled).map((outcome) => outcome.status === 'rejected')
      const countOf = (from: number): number => lost.slice(from, from + 5).filter(Boolean).length
      expect(client.stats().dropped).toEqual({ low: countOf(0), normal: countOf(5), high: countOf(10) })
      expect(countOf(0)).toBe(5)
      expect(countOf(10)).toBe(0)
      expect((await mine()).map(({ event }) => event.preference_source)).not.toContain('low')
    })

    test('flush waits for what was sent before; close for what is held; after it nothing is taken', async () => {
      const client = await open()
      const settled: string[] = []
      const note = (name: string, sent: Promise<unknown>): void => void sent.then(() => settled.push(name))
      note('a', client.send(topic, preference('u1', 'a')))
      note('b', client.send(topic, preference('u2', 'b')))
      await client.flush()
      expect(settled.toSorted()).toEqual(['a', 'b'])
      note('c', client.send(topic, preference('u1', 'c')))
      await client.close()
      expect(settled).toHaveLength(3)
      expect((await errorOf(client.send(topic, preference('u1', 'd')))).code).toBe('CLOSED')
      await client.flush()
      await client[Symbol.asyncDispose]()
      expect(await mine()).toHaveLength(3)
    })

    test('close gives up what does not get through within its grace', async () => {
      const client = await open({ closeGraceMs: 100 })
      world.down(true)
      const failures = ['a', 'b', 'c'].map((source) => errorOf(client.send(topic, preference('u1', source))))
      await client.close()
      const codes = (await Promise.all(failures)).map(({ code }) => code)
      expect(codes.every((code) => ['CLOSED', 'TIMEOUT', 'OUTCOME_UNKNOWN'].includes(code))).toBe(true)
      world.down(false)
      expect(client.stats()).toMatchObject({ queuedBytes: 0, failed: 3 })
    })
  })
}
