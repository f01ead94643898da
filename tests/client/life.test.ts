/** The client's own part, over a transport that is told what becomes of each delivery, and a clock turned by hand. */

import { expect, test } from 'vitest'
import type { ClientOptions, EventClient, EventToSend, OpenTransport } from '../../client/index.ts'
import { ClientError, openClient } from '../../client/index.ts'
import type { Outcome, Unit } from '../../client/unit.ts'
import { systemRandom } from '../api/http/world.ts'

const topic = 'communication_events'
type Preference = EventToSend<typeof topic>
const preference = (contact: string, source: string, more: Partial<Preference> = {}): Preference => ({
  type: 'contact_preference_changed',
  payload: { contact_id: contact, channel: 'email', subscribed: true, preference_source: source },
  ...more,
})
const sourceOf = ({ events }: Unit): string => String(events[0]!.payload['preference_source'])
const settled = async (turns = 20): Promise<void> => {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve()
}

interface Told {
  readonly client: EventClient
  /** What was handed over, by source, and how each delivery is ended. */
  readonly deliveries: { readonly sources: readonly string[]; readonly until: number; end(error?: ClientError): void }[]
  turn(ms: number): Promise<void>
}

async function openTold(options: Partial<ClientOptions> = {}): Promise<Told> {
  const deliveries: Told['deliveries'] = []
  const timers = new Set<{ readonly at: number; readonly call: () => void }>()
  let now = 1_767_225_600_000
  const clock = {
    now: () => now,
    after(delayMs: number, call: () => void) {
      const timer = { at: now + delayMs, call }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
  }
  const deliver = (units: readonly Unit[], until: number): Promise<readonly Outcome[]> =>
    new Promise((resolve) => {
      const receipt = { eventId: 'e', position: 'p', sequence: 1, duplicate: false }
      const written = ({ events }: Unit): Outcome => ({ receipts: events.map(() => receipt) })
      const end = (error?: ClientError): void =>
        resolve(units.map((unit) => (error === undefined ? written(unit) : { error })))
      deliveries.push({ sources: units.map(sourceOf), until, end })
    })
  const transport: OpenTransport = () =>
    Promise.resolve({
      concurrency: 1,
      limits: { bytes: 100_000, events: 2 },
      isShared: () => true,
      objection: () => null,
      committed: () => null,
      deliver,
      close: async () => deliveries.at(-1)?.end(new ClientError('OUTCOME_UNKNOWN', 'closed', 'retry')),
    })
  const client = await openClient({ name: 'p', transport, clock, random: systemRandom, ...options })
  return {
    ...{ client, deliveries },
    async turn(ms) {
      now += ms
      await settled()
      for (const timer of [...timers].filter(({ at }) => at <= now)) {
        timers.delete(timer)
        timer.call()
      }
      await settled()
    },
  }
}

const codeOf = (sent: Promise<unknown>): Promise<string> =>
  sent.then(
    () => 'sent',
    (error: unknown) => (error as ClientError).code,
  )

test('nobody passes one who waits for room (CL3)', async () => {
  const { client, deliveries } = await openTold({ queueBytes: 2_500 })
  const long = 'x'.repeat(1_000)
  const sent = ['a', 'b', long, 'c'].map((source) => codeOf(client.send(topic, preference('u1', source))))
  await settled()
  expect(client.stats()).toMatchObject({ waitingForRoom: 2, underWayEvents: 2 })
  deliveries[0]!.end()
  await settled()
  expect(deliveries.map(({ sources }) => sources)).toEqual([
    ['a', 'b'],
    [long, 'c'],
  ])
  deliveries[1]!.end()
  expect(await Promise.all(sent)).toEqual(['sent', 'sent', 'sent', 'sent'])
})

test('what waits longer than its time is given up, in the queue and before it; what is under way is not (CL1, CL2)', async () => {
  const { client, deliveries, turn } = await openTold({ deliveryTimeoutMs: 1_000, queueBytes: 2_500 })
  const sent = ['a', 'b', 'c', 'd', 'e'].map((source) => codeOf(client.send(topic, preference('u1', source))))
  await settled()
  const { underWayEvents, waitingEvents, waitingForRoom } = client.stats()
  expect([underWayEvents, waitingEvents, waitingForRoom]).toEqual([2, 2, 1])
  expect(deliveries[0]!.until).toBe(1_767_225_601_000)
  await turn(999)
  expect(client.stats()).toMatchObject({ failed: 0 })
  await turn(100)
  expect(client.stats()).toMatchObject({ failed: 3, waitingEvents: 0, waitingForRoom: 0, underWayEvents: 2 })
  deliveries[0]!.end()
  expect(await Promise.all(sent)).toEqual(['sent', 'sent', 'TIMEOUT', 'TIMEOUT', 'TIMEOUT'])
  const later = codeOf(client.send(topic, preference('u1', 'f')))
  await settled()
  await turn(500)
  deliveries[1]!.end()
  expect(await later).toBe('sent')
})

test('behind what may be sent again everything of its entities is given up, in order, and nothing else (CL5)', async () => {
  const { client, deliveries } = await openTold({ queueBytes: 10_000 })
  const settledAs: string[] = []
  const send = (name: string, ...events: readonly (readonly [contact: string, sequence?: number])[]): void => {
    const given = events.map(([contact, sequence]) =>
      preference(contact, name, sequence === undefined ? {} : { sequence }),
    )
    void codeOf(client.sendBatch(topic, given)).then((code) => settledAs.push(`${name} ${code}`))
  }
  send('a1', ['a', 1])
  send('a2', ['a', 2])
  await settled()
  send('b1', ['b', 1])
  send('a3 b2', ['a', 3], ['b', 2])
  send('c1', ['c', 1])
  send('b3 c2', ['b', 3], ['c', 2])
  send('d counted, c3', ['d'], ['c', 3])
  send('d counted', ['d'])
  send('a counted', ['a'])
  send('c4', ['c', 4])
  await settled()
  deliveries[0]!.end(new ClientError('OUTCOME_UNKNOWN', 'nobody knows', 'retry'))
  await settled()
  expect(settledAs).toEqual([
    ...['a1 OUTCOME_UNKNOWN', 'a2 OUTCOME_UNKNOWN', 'a3 b2 EARLIER_FAILED', 'b3 c2 EARLIER_FAILED'],
    ...['d counted, c3 EARLIER_FAILED', 'a counted EARLIER_FAILED', 'c4 EARLIER_FAILED'],
  ])
  for (const next of [1, 2]) {
    deliveries[next]!.end()
    await settled()
  }
  expect(deliveries.map(({ sources }) => sources)).toEqual([['a1', 'a2'], ['b1', 'c1'], ['d counted']])
  expect(client.stats()).toMatchObject({ queuedBytes: 0, waitingEvents: 0, acknowledged: 3, failed: 10 })
})

test('who waits for room is given up behind it too, and so is who came to take its room (CL5)', async () => {
  const numbered = (sequence: number, more: Partial<Preference> = {}) => preference('a', 'x', { sequence, ...more })
  const waiting = await openTold({ queueBytes: 1_300 })
  const sent = [1, 2, 3].map((sequence) => codeOf(waiting.client.send(topic, numbered(sequence))))
  await settled()
  expect(waiting.client.stats()).toMatchObject({ underWayEvents: 2, waitingForRoom: 1 })
  waiting.deliveries[0]!.end(new ClientError('TIMEOUT', 'late', 'retry'))
  expect(await Promise.all(sent)).toEqual(['TIMEOUT', 'TIMEOUT', 'EARLIER_FAILED'])
  const dropping = await openTold({ queueBytes: 1_300, whenFull: 'drop' })
  const low = [1, 2].map((sequence) => codeOf(dropping.client.send(topic, numbered(sequence, { priority: 'low' }))))
  const high = codeOf(dropping.client.send(topic, numbered(3, { priority: 'high' })))
  expect(await Promise.all([...low, high])).toEqual(['DROPPED', 'EARLIER_FAILED', 'EARLIER_FAILED'])
  expect(dropping.client.stats()).toMatchObject({ queuedBytes: 0, waitingForRoom: 0 })
})

test('what will not be sent again holds nobody up', async () => {
  const { client, deliveries } = await openTold()
  const send = (sequence: number) => codeOf(client.send(topic, preference('a', String(sequence), { sequence })))
  const sent = [1, 2, 3].map(send)
  await settled()
  deliveries[0]!.end(new ClientError('REFUSED', 'no', 'stop'))
  await settled()
  deliveries[1]!.end()
  expect(await Promise.all(sent)).toEqual(['REFUSED', 'REFUSED', 'sent'])
})

test('a batch that has to wait for its turn owes all of its events; one that may be too old is left out all the same', async () => {
  const { client, deliveries } = await openTold()
  const numbered = (contact: string, sequence: number, more: Partial<Preference> = {}) =>
    preference(contact, String(sequence), { sequence, ...more })
  const first = codeOf(client.send(topic, numbered('a', 1, { timestamp: 1_767_225_600_000 })))
  await settled()
  deliveries[0]!.end(new ClientError('TIMEOUT', 'late', 'retry'))
  expect(await first).toBe('TIMEOUT')
  const batch = [numbered('b', 1), numbered('a', 2)]
  expect(await codeOf(client.sendBatch(topic, batch))).toBe('EARLIER_FAILED')
  expect(await codeOf(client.send(topic, numbered('b', 2)))).toBe('EARLIER_FAILED')
  client.leaveOut(topic, numbered('a', 1, { timestamp: 1 }))
  expect(await codeOf(client.send(topic, preference('a', 'counted')))).toBe('EARLIER_FAILED')
  const sent = codeOf(client.sendBatch(topic, batch))
  await settled()
  deliveries[1]!.end()
  expect(await sent).toBe('sent')
})

test('after its grace close hands nothing more over', async () => {
  const { client, deliveries, turn } = await openTold({ closeGraceMs: 50, queueBytes: 2_500 })
  const sent = ['a', 'b', 'c', 'd'].map((source) => codeOf(client.send(topic, preference('u1', source))))
  await settled()
  const closing = client.close()
  await turn(50)
  await turn(0)
  await closing
  expect(await Promise.all(sent)).toEqual(['OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN', 'CLOSED', 'CLOSED'])
  expect(deliveries).toHaveLength(1)
  expect(client.stats()).toMatchObject({ accepted: 4, failed: 4, queuedBytes: 0 })
})

test('flush waits for what was sent before it, and for nothing that was sent after', async () => {
  const { client, deliveries, turn } = await openTold()
  for (const source of ['a', 'b', 'c']) void client.send(topic, preference('u1', source))
  await settled()
  let isFlushed = false
  void client.flush().then(() => (isFlushed = true))
  void client.send(topic, preference('u1', 'd')).catch(() => undefined)
  void client.send(topic, preference('u1', 'e')).catch(() => undefined)
  deliveries[0]!.end()
  await turn(1)
  expect([isFlushed, client.stats().acknowledged]).toEqual([false, 2])
  deliveries[1]!.end()
  await turn(1)
  expect([isFlushed, client.stats().acknowledged]).toEqual([true, 4])
  deliveries[2]!.end()
})

test('a batch that is too large for any delivery is refused at once, and takes no number', async () => {
  const { client, deliveries } = await openTold()
  const batch = ['a', 'b', 'c'].map((source, n) => preference('u1', source, { sequence: n + 1 }))
  expect(await codeOf(client.sendBatch(topic, batch))).toBe('INVALID_EVENT')
  const small = await openTold({ queueBytes: 1_000 })
  expect(await codeOf(small.client.sendBatch(topic, batch.slice(0, 2)))).toBe('INVALID_EVENT')
  const sent = client.sendBatch(topic, batch.slice(0, 2))
  await settled()
  deliveries[0]!.end()
  expect(await codeOf(sent)).toBe('sent')
})
