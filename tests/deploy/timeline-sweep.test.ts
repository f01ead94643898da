/** The timeline is kept for its days: older rows go, of every tenant, and nobody but the sweep may drop them. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Pool } from '../../connectors/postgres/index.ts'
import { openPool } from '../../connectors/postgres/index.ts'
import type { ScratchDatabase } from '../../deploy/local/scratch-database.ts'
import { scratchDatabase } from '../../deploy/local/scratch-database.ts'
import { sweepTimeline } from '../../deploy/timeline-sweep.ts'

const tenants = ['0a000000-0000-4000-8000-000000000001', '0b000000-0000-4000-8000-000000000001']
const now = Date.parse('2026-06-01T00:00:00Z')
const dayMs = 24 * 60 * 60 * 1000

let database: ScratchDatabase
let owner: Pool
let sink: Pool

beforeAll(async () => {
  database = await scratchDatabase()
  owner = openPool(database.ownerUrl, { applicationName: 'test' })
  sink = openPool(database.urls.sink, { applicationName: 'test' })
  for (const table of ['timeline_auth_events', 'timeline_review_events'])
    for (const tenant of tenants)
      for (const age of [1, 29, 31, 400])
        await owner.query(
          `insert into lifecycle.${table} (tenant_id, event_id, organization_id, occurred_at, src_topic, src_part, src_offset, changed_at)
           values ($1, $2, $1, $3, 't', 0, $4, $3)`,
          [tenant, `age ${String(age)}`, new Date(now - age * dayMs).toISOString(), age],
        )
})
afterAll(async () => {
  await Promise.all([owner.end(), sink.end()])
  await database.drop()
})

const kept = async (): Promise<readonly string[]> =>
  (await owner.query<{ event_id: string }>('select event_id from lifecycle.timeline order by 1')).rows.map(
    ({ event_id }) => event_id,
  )

test('the sink itself drops nothing without saying that it sweeps', async () => {
  expect((await sink.query('delete from lifecycle.timeline_auth_events')).rowCount).toBe(0)
  expect(await kept()).toHaveLength(16)
})

test('what is older than it is kept goes, of all tenants and topics; the rest stays', async () => {
  expect(await sweepTimeline(sink, 30, now)).toBe(8)
  expect(new Set(await kept())).toEqual(new Set(['age 1', 'age 29']))
  expect(await kept()).toHaveLength(8)
  expect(await sweepTimeline(sink, 30, now)).toBe(0)
})
