/** Row 14 and I18: one key, one set of events, however often, wherever and through whatever failure it is sent. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { postgresReservations } from '../../../api/index.ts'
import type { Ingest, Reservations } from '../../../api/index.ts'
import type { Log, ProducerSession } from '../../../connectors/kafka/index.ts'
import { LogError } from '../../../connectors/kafka/index.ts'
import type { Pool } from '../../../connectors/postgres/index.ts'
import { call, keyOf, person, tenantA, tenantB } from '../http/world.ts'
import type { World } from './world.ts'
import { asked, openWorld } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

const send = (body: unknown, key: string, tenantId = tenantA) =>
  call(world.events, { body, token: keyOf(tenantId), headers: { 'Idempotency-Key': key } })
const named = async (name: string) => (await world.written()).filter(({ event }) => event.company_name === name)
const submit = (ingest: Ingest, name: string, key: string, tenantId = tenantA) =>
  ingest.submit(person(tenantId), asked(name), key)

test('the same key and body, five times at once and once more later: one event, one answer', async () => {
  const answers = await Promise.all(Array.from({ length: 5 }, () => send(asked('Five'), 'five')))
  answers.push(await send(asked('Five'), 'five'))
  expect(new Set(answers.map(({ status, body }) => JSON.stringify([status, body]))).size).toBe(1)
  expect(answers[0]!.status).toBe(202)
  expect((await named('Five')).map(({ position }) => position)).toEqual([answers[0]!.body.position])
})

test('five processes at once: one event, one answer', async () => {
  const processes = [2, 3, 4, 5, 6].map((n) =>
    world.another({ transactionalId: `crowd-${String(n)}`, takeoverAfterMs: 10_000 }),
  )
  const answers = await Promise.all(processes.map((each) => submit(each, 'Processes', 'processes')))
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
  expect(await named('Processes')).toHaveLength(1)
})

test('another body under the same key is refused, and writes nothing (K4)', async () => {
  await send(asked('First body'), 'reused')
  expect(await send(asked('Second body'), 'reused')).toMatchObject({
    status: 422,
    body: { code: 'idempotency_key_reused' },
  })
  const both = await Promise.all([send(asked('At once a'), 'at-once'), send(asked('At once b'), 'at-once')])
  expect(both.map(({ status }) => status).sort()).toEqual([202, 422])
  expect(await named('Second body')).toEqual([])
})

test('another tenant under the same key is another request', async () => {
  const [a, b] = await Promise.all([
    send(asked('Shared key'), 'shared', tenantA),
    send(asked('Shared key'), 'shared', tenantB),
  ])
  expect([a!.status, b!.status]).toEqual([202, 202])
  expect((await named('Shared key')).map(({ event }) => event.tenant_id).sort()).toEqual([tenantA, tenantB])
})

test('a list under a key is one request', async () => {
  const list = Array.from({ length: 50 }, () => asked('In a list'))
  const answers = await Promise.all([send(list, 'list'), send(list, 'list')])
  expect(answers[0]!.body).toEqual(answers[1]!.body)
  expect(await named('In a list')).toHaveLength(50)
})

test.each([
  ['300 bytes', 'k'.repeat(300)],
  ['256 bytes', 'k'.repeat(256)],
  ['empty', ''],
  ['not ASCII', 'caf\u00e9'],
  ['a tab', 'a\tb'],
])('a key that is %s is 400', async (_name, key) => {
  expect(await send(asked('Bad key'), key)).toMatchObject({ status: 400, body: { code: 'bad_idempotency_key' } })
  expect(await named('Bad key')).toEqual([])
})

test('a key of 255 characters is good; a refused request keeps no key', async () => {
  expect((await send(asked('Long key'), 'k'.repeat(255))).status).toBe(202)
  expect((await send({ ...asked(), type: 'nonsense' }, 'freed')).status).toBe(422)
  expect((await send(asked('Freed'), 'freed')).status).toBe(202)
})

/** Never answers: what a process sees of the world when it is killed. */
const never = new Promise<never>(() => undefined)

/** A log whose sessions stop for ever at one call. */
function stoppingAt(log: Log, verb: 'append' | 'commit' | 'after commit', reached: () => void): Log {
  const stop = (): Promise<never> => {
    reached()
    return never
  }
  const wrap = (session: ProducerSession): ProducerSession => ({
    producerId: session.producerId,
    epoch: session.epoch,
    begin: () => session.begin(),
    append: (batches) => (verb === 'append' ? stop() : session.append(batches)),
    sendOffsets: (group, offsets) => session.sendOffsets(group, offsets),
    end: async (outcome) => {
      if (verb === 'commit') return stop()
      await session.end(outcome)
      if (verb === 'after commit') await stop()
    },
    close: () => session.close(),
  })
  return delegating(log, { openProducer: async (options) => wrap(await log.openProducer(options)) })
}

const delegating = (log: Log, own: Partial<Log>): Log =>
  new Proxy(log, {
    get: (target, name) => {
      const value: unknown = Reflect.get(own, name) ?? Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(Reflect.has(own, name) ? own : target) : value
    },
  })

/** Begins a request in a process that dies at `verb`. */
async function dieAt(
  verb: Parameters<typeof stoppingAt>[1],
  name: string,
  key: string,
  transactionalId: string,
): Promise<void> {
  await new Promise<void>((reached) => {
    const dying = world.another({ transactionalId }, { log: stoppingAt(world.log, verb, reached) })
    void submit(dying, name, key).catch(() => undefined)
  })
}

test.each(['append', 'commit', 'after commit'] as const)(
  'killed at %s: another process takes over and gives the one answer',
  async (verb) => {
    const name = `Killed at ${verb}`
    await dieAt(verb, name, name, `dead at ${verb}`)
    const heirs = [1, 2].map((n) => world.another({ transactionalId: `heir ${String(n)} at ${verb}` }))
    const answers = await Promise.all(heirs.map((heir) => submit(heir, name, name)))
    answers.push(await submit(world.ingest, name, name))
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    expect((await named(name)).map(({ position, event }) => [position, event.event_id])).toEqual([
      [answers[0]!.positions[0], answers[0]!.eventIds[0]],
    ])
  },
)

test.each(['append', 'commit', 'after commit'] as const)(
  'killed at %s: the same process, restarted, gives the one answer at once',
  async (verb) => {
    const name = `Restarted at ${verb}`
    await dieAt(verb, name, name, `restarts at ${verb}`)
    const restarted = world.another({ transactionalId: `restarts at ${verb}`, takeoverAfterMs: 60_000 })
    const answer = await submit(restarted, name, name)
    expect((await named(name)).map(({ position }) => position)).toEqual(answer.positions)
  },
)

test('a process that was only slow, and wakes after it was taken over, writes nothing more (K3, G4)', async () => {
  let wake = (): void => undefined
  let paused = (): void => undefined
  const asleep = new Promise<void>((resolve) => (paused = resolve))
  const reservations = pausingAfterReserve(world.pool, paused, new Promise((resolve) => (wake = resolve)))
  const slow = world.another({ transactionalId: 'sleepy' }, { reservations })
  const sleeping = submit(slow, 'Sleeper', 'sleeper').then(
    () => 'written',
    (error: unknown) => (error as { code?: string }).code,
  )
  await asleep
  const answer = await submit(world.another({ transactionalId: 'awake' }), 'Sleeper', 'sleeper')
  wake()
  expect(await sleeping).toBe('log_unavailable')
  expect((await named('Sleeper')).map(({ position }) => position)).toEqual(answer.positions)
  expect(await submit(slow, 'Sleeper', 'sleeper')).toEqual(answer)
  expect((await submit(slow, 'Sleeper again', 'sleeper again')).positions).toHaveLength(1)
})

test('a process that lives on beside the one that replaced it, under the same name, writes nothing twice (K2, K3)', async () => {
  let wake = (): void => undefined
  let paused = (): void => undefined
  const asleep = new Promise<void>((resolve) => (paused = resolve))
  const reservations = pausingAfterReserve(world.pool, paused, new Promise((resolve) => (wake = resolve)))
  const heir = world.another({ transactionalId: 'twin' })
  await submit(heir, 'Before the twin', 'before the twin')
  // It opens its session after the heir's, so that only another session of the heir's ends it.
  const twin = world.another({ transactionalId: 'twin' }, { reservations })
  const sleeping = submit(twin, 'Twin', 'twin').then(
    () => 'written',
    (error: unknown) => (error as { code?: string }).code,
  )
  await asleep
  const answer = await submit(heir, 'Twin', 'twin')
  wake()
  expect(await sleeping).toBe('log_unavailable')
  expect(await submit(heir, 'Twin', 'twin')).toEqual(answer)
  expect(await submit(twin, 'Twin', 'twin')).toEqual(answer)
  expect((await named('Twin')).map(({ position }) => position)).toEqual(answer.positions)
})

/** Reservations that fall asleep once, right after one is made. */
function pausingAfterReserve(pool: Pool, paused: () => void, until: Promise<void>): Reservations {
  const real = postgresReservations(pool)
  let pause = true
  return {
    ...real,
    async reserve(reservation, atMs) {
      const reserved = await real.reserve(reservation, atMs)
      if (pause) {
        pause = false
        paused()
        await until
      }
      return reserved
    },
  }
}

test('no answer to the commit: 503, and a retry with the key finds what was written (G2)', async () => {
  let lose = true
  const log = delegating(world.log, {
    openProducer: async (options) => {
      const session = await world.log.openProducer(options)
      return new Proxy(session, {
        get: (target, name) => {
          if (name !== 'end') {
            const value: unknown = Reflect.get(target, name)
            return typeof value === 'function' ? value.bind(target) : value
          }
          return async (outcome: 'commit' | 'abort') => {
            await target.end(outcome)
            if (lose) throw new LogError('TIMEOUT', 'no answer', 'retry')
          }
        },
      })
    },
  })
  const ingest = world.another({ transactionalId: 'loses answers' }, { log })
  await expect(submit(ingest, 'Lost answer', 'lost')).rejects.toMatchObject({ status: 503, code: 'outcome_unknown' })
  lose = false
  const answer = await submit(ingest, 'Lost answer', 'lost')
  expect((await named('Lost answer')).map(({ position }) => position)).toEqual(answer.positions)
})

test('old keys are forgotten, young ones are not', async () => {
  await send(asked('Young'), 'young')
  await world.pool.query(
    `update auth.ingest_requests set reserved_at = now() - interval '25 hours' where idempotency_key = 'five'`,
  )
  await world.ingest.sweep()
  const { rows } = await world.pool.query(
    `select idempotency_key from auth.ingest_requests where idempotency_key in ('five', 'young')`,
  )
  expect(rows).toEqual([{ idempotency_key: 'young' }])
})
