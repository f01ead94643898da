import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ClientError, EventClient, EventToSend, TransportContext } from '../../client/index.ts'
import { kafkaTransport, producerNames } from '../../client/index.ts'
import type { JudgedEvent } from '../../client/judge.ts'
import type { Log } from '../../connectors/kafka/index.ts'
import { communicationEvents, reviewEvents, SchemaError } from '../../schemas/index.ts'
import { systemClock, systemRandom } from '../api/http/world.ts'
import type { LogWorld } from './worlds.ts'
import { openLogWorld, tenants } from './worlds.ts'

const topic = 'communication_events'
type Preference = EventToSend<typeof topic>
const preference = (source: string, more: Partial<Preference> = {}): Preference => ({
  type: 'contact_preference_changed',
  payload: { contact_id: 'u1', channel: 'email', subscribed: true, preference_source: source },
  ...more,
})
const errorOf = (promise: Promise<unknown>): Promise<ClientError> =>
  promise.then(
    () => expect.fail('it was sent'),
    (error: unknown) => error as ClientError,
  )

let world: LogWorld
let [tests, name] = [0, '']
const clients: EventClient[] = []
const open = async (
  more: Parameters<LogWorld['openWith']>[1] = {},
  options: Parameters<LogWorld['openWith']>[2] = {},
) => {
  const client = await world.openWith(name, more, options)
  clients.push(client)
  return client
}
const sources = async (): Promise<readonly unknown[]> =>
  (await world.written())
    .filter(({ headers }) => headers.some(({ key, value }) => key === 'producer' && value.toString() === name))
    .map(({ event }) => event.preference_source)

beforeAll(async () => {
  world = await openLogWorld()
})
beforeEach(() => {
  name = `k${(tests += 1)}`
})
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()))
  await world.close()
})

test('who opens the producer later ends the one before, which sends nothing any more (KT4)', async () => {
  const first = await open()
  await first.send(topic, preference('a', { sequence: 1 }))
  const second = await open()
  const failures = [errorOf(first.send(topic, preference('b', { sequence: 2 })))]
  expect((await failures[0]!).code).toBe('FENCED')
  const again = await errorOf(first.send(topic, preference('b', { sequence: 2 })))
  expect([again.code, again.then]).toEqual(['FENCED', 'stop'])
  expect(await second.send(topic, preference('b', { sequence: 2 }))).toMatchObject({ duplicate: false })
  expect(await sources()).toEqual(['a', 'b'])
})

describe('a transaction that is open for longer than it may be (KT5)', () => {
  /** The world's log; each commit waits for what `before` does first. */
  const slowLog = (before: () => Promise<void>): Log =>
    new Proxy(world.log, {
      get(log, property) {
        if (property === 'openProducer')
          return async (options: Parameters<Log['openProducer']>[0]) => {
            const session = await log.openProducer(options)
            const end = session.end.bind(session)
            session.end = async (outcome) => {
              if (outcome === 'commit') await before()
              return end(outcome)
            }
            return session
          }
        const value: unknown = Reflect.get(log, property)
        return typeof value === 'function' ? (value.bind(log) as unknown) : value
      },
    })
  const [transactionTimeoutMs, tooLongMs] = [300, 700]

  test('ends its session, not the process: the next one writes it', async () => {
    let slow = 0
    const log = slowLog(() => sleep(slow-- > 0 ? tooLongMs : 0))
    const client = await open({ log, transactionTimeoutMs })
    await client.send(topic, preference('1', { sequence: 1 }))
    slow = 1
    for (const sequence of [2, 3])
      expect(await client.send(topic, preference(String(sequence), { sequence }))).toMatchObject({ duplicate: false })
    expect(await sources()).toEqual(['1', '2', '3'])
    expect(client.stats()).toMatchObject({ retries: 1, failed: 0 })
  })

  test('and when there is no time left for that, the next send does it', async () => {
    let slow = 1
    const log = slowLog(() => sleep(slow-- > 0 ? tooLongMs : 0))
    const client = await open({ log, transactionTimeoutMs }, { deliveryTimeoutMs: 500 })
    const error = await errorOf(client.send(topic, preference('1', { sequence: 1 })))
    expect([error.code, error.then]).toEqual(['OUTCOME_UNKNOWN', 'retry'])
    expect(await client.send(topic, preference('1', { sequence: 1 }))).toMatchObject({ duplicate: false })
    expect(await sources()).toEqual(['1'])
  })

  test('does not take the name back from who has written under it meanwhile (KT4)', async () => {
    let isSlow = true
    let second: EventClient | null = null
    const log = slowLog(async () => {
      if (!isSlow) return
      isSlow = false
      await sleep(tooLongMs)
      second = await open()
      await second.send(topic, preference('1', { sequence: 1 }))
    })
    const first = await open({ log, transactionTimeoutMs })
    for (let attempt = 0; attempt < 2; attempt++) {
      const error = await errorOf(first.send(topic, preference('0', { sequence: 1 })))
      expect([error.code, error.then]).toEqual(attempt === 0 ? ['OUTCOME_UNKNOWN', 'retry'] : ['FENCED', 'stop'])
    }
    await second!.send(topic, preference('2', { sequence: 2 }))
    expect(await sources()).toEqual(['1', '2'])
  })
})

test('what is durable is read back from the log: the next process goes on from there (KT2)', async () => {
  const first = await open()
  for (const sequence of [1, 2, 5]) await first.send(topic, preference(String(sequence), { sequence }))
  await first.close()
  const second = await open()
  const receipts = []
  for (const sequence of [2, 4, 5, 6])
    receipts.push(await second.send(topic, preference(String(sequence), { sequence })))
  expect(receipts.map(({ duplicate, position }) => [duplicate, position === null])).toEqual([
    [true, true],
    [true, true],
    [true, true],
    [false, false],
  ])
  expect(receipts[0]!.eventId).not.toBeNull()
  expect(await second.send(topic, preference('counted'))).toMatchObject({ sequence: 7 })
  expect(await sources()).toEqual(['1', '2', '5', '6', 'counted'])
  expect(second.stats()).toMatchObject({ acknowledged: 5, duplicates: 3 })
})

test('of a batch that is partly durable the rest is written', async () => {
  const first = await open()
  await first.sendBatch(
    topic,
    [1, 2].map((sequence) => preference(String(sequence), { sequence })),
  )
  await first.close()
  const second = await open()
  const receipts = await second.sendBatch(
    topic,
    [1, 2, 3].map((sequence) => preference(String(sequence), { sequence })),
  )
  expect(receipts.map(({ duplicate }) => duplicate)).toEqual([true, true, false])
  expect(await sources()).toEqual(['1', '2', '3'])
})

test('events and sequences are one transaction; a lost answer is settled by the next session (KT1, KT3)', async () => {
  const client = await open()
  world.loseAnswers(1)
  const receipts = await Promise.all(
    [1, 2, 3].map((sequence) => client.send(topic, preference(String(sequence), { sequence }))),
  )
  // Not duplicates: it was this call that wrote them, and where is remembered.
  expect(receipts.map(({ duplicate, position }) => [duplicate, position !== null])).toEqual(
    Array(3).fill([false, true]),
  )
  world.refuse(1)
  await client.send(topic, preference('4', { sequence: 4 }))
  expect(await sources()).toEqual(['1', '2', '3', '4'])
  expect(client.stats().retries).toBe(2)
})

test('the topic of sequences is compacted, and forgets in time', async () => {
  await open()
  const [found] = await world.log.metadata([producerNames.sequencesTopic])
  expect(found!.config).toMatchObject({ 'cleanup.policy': 'compact,delete', 'retention.ms': String(7 * 86_400_000) })
})

describe('what may not come this way', () => {
  const context: TransportContext = {
    name: 'objections',
    clock: systemClock,
    random: systemRandom,
    notice: () => undefined,
    retried: () => undefined,
  }
  const objection = async (of: Partial<JudgedEvent>, keyRing?: LogWorld['keyRing']) => {
    const { log, registry } = world
    const transport = await kafkaTransport({ log, registry, ...(keyRing === undefined ? {} : { keyRing }) })(context)
    const found = transport.objection({ tenant: tenants[0], topic: communicationEvents, ...of } as JudgedEvent)
    await transport.close()
    return found
  }

  test('an event without a tenant', async () => {
    const client = await world.openWith(name, {}, { tenant: undefined as never })
    const error = await errorOf(client.send(topic, preference('a')))
    expect([error.code, error.field]).toEqual(['NOT_ALLOWED', 'tenant'])
    await client.close()
  })

  test('events with personal fields, unless the keys are there; the other way is named in one line', async () => {
    const error = await objection({ type: 'message_requested' })
    expect(error).toMatchObject({ code: 'NOT_ALLOWED', field: 'type' })
    expect(error!.message).toBe(
      "type: message_requested has personal fields; without the tenants' keys it goes through HTTP ingest.",
    )
    expect(await objection({ type: 'message_requested' }, world.keyRing)).toBeNull()
    expect(await objection({ type: 'contact_preference_changed' })).toBeNull()
  })

  test("a person's decisions, keys or not", async () => {
    const decision = { topic: reviewEvents, type: 'review_decision_requested' } as Partial<JudgedEvent>
    expect(await objection(decision, world.keyRing)).toMatchObject({ code: 'NOT_ALLOWED', field: 'type' })
    const client = await open({ keyRing: world.keyRing })
    const sent = client.send('review_events', { type: 'review_claim_requested', payload: { review_id: 'r1' } })
    expect((await errorOf(sent)).code).toBe('NOT_ALLOWED')
  })

  test('a topic that the log does not have, without harm to the others of its transaction', async () => {
    const client = await open({
      log: new Proxy(world.log, {
        get(log, property) {
          if (property === 'metadata')
            return async (names?: readonly string[]) =>
              (await log.metadata(names)).filter((each) => each.name !== 'research_events')
          const value: unknown = Reflect.get(log, property)
          return typeof value === 'function' ? (value.bind(log) as unknown) : value
        },
      }),
    })
    const payload = { company_name: 'Acme', domain: null, depth: 'quick', reason: 'asked' } as const
    const lost = errorOf(client.send('research_events', { type: 'research_requested', payload }))
    await client.send(topic, preference('a'))
    expect((await lost).message).toBe('the log has no topic research_events.')
    expect(await sources()).toEqual(['a'])
  })
})

test('a registry or key service that is away is waited for; one that refuses is not', async () => {
  let away = 2
  const registry = {
    ...world.registry,
    register: (subject: string, schema: Parameters<LogWorld['registry']['register']>[1]) => {
      if (away > 0) {
        away -= 1
        return Promise.reject(new SchemaError('REGISTRY_FAILED', 'away', 'retry'))
      }
      return world.registry.register(subject, schema)
    },
  }
  let keysAway = 1
  const keyRing = {
    get: (tenantId: string) => world.keyRing.get(tenantId),
    load: (of: readonly string[]) => (keysAway-- > 0 ? Promise.reject(new Error('away')) : world.keyRing.load(of)),
  }
  const client = await open({ registry, keyRing })
  await client.send(topic, preference('a'))
  expect(client.stats().retries).toBe(3)
  const refusing = {
    ...world.registry,
    register: () => Promise.reject(new SchemaError('INCOMPATIBLE_SCHEMA', 'no', 'stop')),
  }
  name = `${name}-b`
  expect((await errorOf((await open({ registry: refusing })).send(topic, preference('a')))).code).toBe('REFUSED')
})
