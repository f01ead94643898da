/** Row 17: when the log or the database cannot, the answer is 503 with Retry-After, and nothing half done stays behind. */

import { expect, test } from 'vitest'
import { postgresReservations } from '../../../api/index.ts'
import type { Log } from '../../../connectors/kafka/index.ts'
import { LogError, openMemoryLog } from '../../../connectors/kafka/index.ts'
import { call, keyOf, person, systemClock, systemRandom, tenantA, tenantB } from '../http/world.ts'
import { asked, openWorld } from './world.ts'

const send = (url: string, name: string, tenantId = tenantA, headers: Record<string, string> = {}) =>
  call(url, { body: asked(name), token: keyOf(tenantId), headers })

/** A memory log whose appends fail, or wait, while told to. */
function troubledLog(): { log: Log; trouble: { error: LogError | null; wait: Promise<void> | null } } {
  const inner = openMemoryLog({ clock: systemClock, random: systemRandom })
  const trouble: { error: LogError | null; wait: Promise<void> | null } = { error: null, wait: null }
  const log = new Proxy(inner, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (name !== 'openProducer') return typeof value === 'function' ? value.bind(target) : value
      return async (options: Parameters<Log['openProducer']>[0]) => {
        const session = await target.openProducer(options)
        return new Proxy(session, {
          get(of, verb) {
            const own: unknown = Reflect.get(of, verb)
            if (verb !== 'append') return typeof own === 'function' ? own.bind(of) : own
            return async (batches: Parameters<typeof of.append>[0]) => {
              if (trouble.wait !== null) await trouble.wait
              if (trouble.error !== null) throw trouble.error
              return of.append(batches)
            }
          },
        })
      }
    },
  })
  return { log, trouble }
}

test('disk full: 503 for those in the transaction, nothing visible, and service again when there is room (G1)', async () => {
  const { log, trouble } = troubledLog()
  const notices: string[] = []
  await using world = await openWorld({}, { log, notice: (line) => notices.push(line) })
  await send(world.events, 'Before')
  trouble.error = new LogError('STORAGE_FULL', 'no space left', 'retry')
  const refused = await Promise.all([
    send(world.events, 'Full a'),
    send(world.events, 'Full b', tenantB),
    send(world.events, 'Full keyed', tenantA, { 'Idempotency-Key': 'full' }),
  ])
  for (const answer of refused) {
    expect(answer).toMatchObject({ status: 503, body: { code: 'log_unavailable' } })
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(JSON.stringify(answer.body)).not.toContain('no space')
  }
  // The operator is told why, once.
  expect(notices).toEqual(['events are refused: no space left'])
  trouble.error = null
  expect((await send(world.events, 'Full keyed', tenantA, { 'Idempotency-Key': 'full' })).status).toBe(202)
  expect((await send(world.events, 'After', tenantB)).status).toBe(202)
  expect((await world.written()).map(({ event }) => event.company_name).sort()).toEqual([
    'After',
    'Before',
    'Full keyed',
  ])
  trouble.error = new LogError('STORAGE_FULL', 'no space left', 'retry')
  await send(world.events, 'Full again')
  expect(notices).toHaveLength(2)
})

test('a queue over its bytes: 503, and what was taken is written (G5)', async () => {
  const { log, trouble } = troubledLog()
  await using world = await openWorld({ queueBytes: 4_000 }, { log })
  await send(world.events, 'Before')
  let release = (): void => undefined
  trouble.wait = new Promise((resolve) => (release = resolve))
  const sent = Array.from({ length: 60 }, (_, index) => send(world.events, `Waits ${String(index)}`))
  // The first transaction holds, so the rest waits up to the bound, and beyond it is refused at once.
  expect((await Promise.race(sent)).status).toBe(503)
  release()
  const answers = await Promise.all(sent)
  const taken = answers.filter(({ status }) => status === 202)
  const refused = answers.filter(({ status }) => status === 503)
  expect(taken.length + refused.length).toBe(60)
  expect(taken.length).toBeGreaterThan(0)
  expect(refused.every(({ body }) => body.code === 'overloaded')).toBe(true)
  expect(await world.written()).toHaveLength(1 + taken.length)
})

test('log closed: 503', async () => {
  const log = openMemoryLog({ clock: systemClock, random: systemRandom })
  await using world = await openWorld({}, { log })
  await send(world.events, 'Before')
  await log.close()
  expect(await send(world.events, 'After')).toMatchObject({ status: 503, body: { code: 'log_unavailable' } })
  expect(await send(world.events, 'Keyed', tenantB, { 'Idempotency-Key': 'k' })).toMatchObject({ status: 503 })
})

test('ingest closed: 503, and what ran was finished', async () => {
  await using world = await openWorld()
  const sent = Array.from({ length: 20 }, (_, index) =>
    world.ingest.submit(person(tenantA), asked(`Late ${String(index)}`), undefined),
  )
  const settled = Promise.allSettled(sent)
  await world.ingest.close()
  const written = (await settled).filter(({ status }) => status === 'fulfilled').length
  expect(await world.written()).toHaveLength(written)
  await expect(world.ingest.submit(person(tenantB), asked(), undefined)).rejects.toMatchObject({ status: 503 })
})

test('database away: events without a key are taken, those with one are 503', async () => {
  const pool = {
    query: () => Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })),
  }
  await using world = await openWorld({}, { reservations: postgresReservations(pool as never) })
  expect((await send(world.events, 'Unkeyed')).status).toBe(202)
  const keyed = await send(world.events, 'Keyed', tenantB, { 'Idempotency-Key': 'k' })
  expect(keyed).toMatchObject({ status: 503, body: { code: 'database_unavailable' } })
  expect((await world.written()).map(({ event }) => event.company_name)).toEqual(['Unkeyed'])
})
