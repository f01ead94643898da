/** K1, K2 and K4 (idempotent-append.ts), as far as they are the table's: in SQL and in memory. */

import { afterAll, beforeAll } from 'vitest'
import { MemoryReservations, postgresReservations } from '../../../api/index.ts'
import { reservationsContract } from '../../contracts/reservations.ts'
import type { World } from './world.ts'
import { openWorld } from './world.ts'

let world: World
beforeAll(async () => void (world = await openWorld()))
afterAll(() => world[Symbol.asyncDispose]())

reservationsContract('PostgreSQL', async () => {
  await world.pool.query('delete from auth.ingest_requests')
  return { table: postgresReservations(world.pool), close: () => Promise.resolve() }
})

reservationsContract('memory', () =>
  Promise.resolve({ table: new MemoryReservations(), close: () => Promise.resolve() }),
)
