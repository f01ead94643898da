import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { postgresOutbox } from '../../../api/relay/index.ts'
import type { Log } from '../../../connectors/kafka/index.ts'
import { logOf, Mortal, newLog, openRelayWorld, party, poolOf, recordsIn, until } from './world.ts'
import type { RelayWorld, RowState } from './world.ts'

let world: RelayWorld
beforeAll(async () => void (world = await openRelayWorld()))
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(() => world.empty())

/** Runs a relay that dies at its n-th step; one that gets through is stopped. */
async function runMortal(log: Log, dieAt: number, when: 'before' | 'after'): Promise<Mortal> {
  const mortal = new Mortal(dieAt, when)
  const relay = world.relay(logOf(log, mortal), {
    rows: postgresOutbox(poolOf(world.relayPool, mortal)),
    settings: { maxRows: 4, pollMs: 3_600_000 },
  })
  relay.start()
  await until(async () => mortal.dead || (await world.rows()).every((row) => row.sent_at !== null))
  await relay.stop()
  return mortal
}

/** Exactly once, in the order of each key, and every row knows where it is. */
async function check(log: Log, put: readonly RowState[]): Promise<void> {
  const records = await recordsIn(log)
  expect(records.map(({ event }) => event.event_id).sort()).toEqual(put.map(({ event }) => event!.event_id).sort())
  const places = new Map(records.map((record) => [record.event.event_id, record]))
  const now = new Map((await world.rows()).map((row) => [row.id, row]))
  for (const { id, event } of put) {
    const { partition, offset } = places.get(event!.event_id)!
    expect(now.get(id)).toMatchObject({ log_partition: partition, log_offset: String(offset) })
  }
  for (const key of new Set(put.map((row) => row.key))) {
    const order = put.filter((row) => row.key === key).map((row) => row.event!.event_id)
    expect(records.filter((record) => record.key === key).map(({ event }) => event.event_id)).toEqual(order)
  }
}

describe('kill -9 of the relay', () => {
  it('at each of its steps, before it and before its answer: every row is in the log exactly once', async () => {
    let dieAt = 1
    for (let died = true; died; dieAt++) {
      died = false
      for (const when of ['before', 'after'] as const) {
        await world.empty()
        const log = await newLog()
        await world.put(party('a', 0), 3)
        await world.put(party('b', 0), 3)
        const put = await world.rows()
        died = (await runMortal(log, dieAt, when)).dead || died
        await world.drain(log)
        await check(log, put)
        await log.close()
      }
    }
    // lock, listen, producer, committed, stamped, newest, then per batch: found, stamp, metadata, append, offsets, commit, mark
    expect(dieAt).toBeGreaterThan(15)
  })

  it('at random steps, again and again, while rows keep coming (property)', async () => {
    const life = fc.record({
      puts: fc.array(
        fc.record({ tenant: fc.constantFrom('a', 'b'), n: fc.nat(2), count: fc.integer({ min: 1, max: 6 }) }),
        {
          maxLength: 4,
        },
      ),
      dieAt: fc.integer({ min: 1, max: 30 }),
      when: fc.constantFrom('before', 'after'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 5 }), async (lives) => {
        await world.empty()
        const log = await newLog()
        const put: RowState[] = []
        for (const { puts, dieAt, when } of lives) {
          for (const { tenant, n, count } of puts) {
            await world.put(party(tenant, n), count)
            put.push(...(await world.rows()).slice(-count))
          }
          await runMortal(log, dieAt, when)
        }
        await world.drain(log)
        await check(log, put)
        await log.close()
      }),
      { numRuns: 40 },
    )
  })

  it('the checks of these tests would notice: a relay without committed numbers sends twice', async () => {
    const log = await newLog()
    await world.put(party('a', 0), 2)
    const put = await world.rows()
    await world.drain(log)
    await world.owner.query(
      'update auth.outbox o set sent_at = null, event = e.event, batch = null from unnest($1::bigint[], $2::jsonb[]) as e (id, event) where e.id = o.id',
      [put.map(({ id }) => id), put.map(({ event }) => event)],
    )
    await world.drain(log)
    await expect(check(log, put)).rejects.toThrow()
    await log.close()
  })
})
