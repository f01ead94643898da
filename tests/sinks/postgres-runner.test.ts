/** The runner over PostgreSQL while connections are killed: P1, each table equals the fold of its topic. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Pool } from '../../connectors/postgres/index.ts'
import { openPool } from '../../connectors/postgres/index.ts'
import type { ScratchDatabase } from '../../deploy/local/scratch-database.ts'
import { scratchDatabase } from '../../deploy/local/scratch-database.ts'
import {
  authEvents,
  billingEvents,
  clientEvents,
  demoEvents,
  documentEvents,
  researchEvents,
  reviewEvents,
  topics,
} from '../../schemas/index.ts'
import { MemoryTables, postgresTables, projections } from '../../sinks/index.ts'
import { day0, eventOf, eventually, LogFixture, settled, tenantA, tenantB, userId } from './sink-fixture.ts'
import { readRows } from './read-rows.ts'

let database: ScratchDatabase
let pool: Pool
let superuser: Pool
beforeAll(async () => {
  database = await scratchDatabase()
  pool = openPool(database.urls.sink, { applicationName: 'test-runner' })
  superuser = openPool(database.superuserUrl, { applicationName: 'test-killer', max: 1 })
})
afterAll(async () => {
  await Promise.all([pool.end(), superuser.end()])
  await database.drop()
})

test('connections killed at any moment, restarts between: the rows are those of a fold', async () => {
  const fixture = await new LogFixture().open()
  const tables = postgresTables(pool)
  let isOver = false
  let killed = 0
  const killing = (async () => {
    while (!isOver) {
      await new Promise((done) => setTimeout(done, 15))
      const { rows } = await superuser.query<{
        n: number
      }>(`select count(pg_terminate_backend(pid))::int as n from pg_stat_activity
        where application_name = 'test-runner' and datname = current_database()`)
      killed += rows[0]!.n
    }
  })()
  for (let round = 0; round < 4; round++) {
    const runner = fixture.runner(tables)
    runner.start()
    for (let organization = 1; organization <= 4; organization++) {
      for (const tenant of [tenantA, tenantB]) {
        const of = { tenant, organization: round * 10 + organization }
        await fixture.append(
          authEvents,
          eventOf(authEvents, 'organization_created', { owner_user_id: userId(organization) }, of),
          eventOf(authEvents, 'member_added', { user_id: userId(8) }, of),
          eventOf(authEvents, organization === 2 ? 'organization_deleted' : 'organization_suspended', {}, of),
          Buffer.from('poison'),
        )
        await fixture.append(
          clientEvents,
          eventOf(clientEvents, 'lifecycle_started', {}, of),
          eventOf(clientEvents, 'stage_changed', {}, of),
          eventOf(clientEvents, 'step_started', {}, of),
          eventOf(clientEvents, 'step_completed', { step: 'nda' }, of),
        )
        await fixture.append(
          researchEvents,
          eventOf(researchEvents, 'research_started', { research_session_id: `s${of.organization}` }, of),
          eventOf(researchEvents, 'finding_recorded', {}, of),
          eventOf(researchEvents, 'competitor_identified', {}, of),
        )
        const demo = { demo_id: `demo${of.organization}` }
        await fixture.append(
          demoEvents,
          eventOf(demoEvents, 'demo_generated', demo, of),
          eventOf(demoEvents, 'demo_published', demo, of),
          eventOf(demoEvents, 'demo_engagement_changed', demo, of),
          eventOf(demoEvents, 'demo_engaged', demo, of),
          eventOf(demoEvents, 'demo_simulation_message', demo, of),
        )
        await fixture.append(
          documentEvents,
          eventOf(documentEvents, 'document_generated', { document_id: `d${of.organization}` }, of),
          eventOf(documentEvents, 'document_declined', { document_id: `d${of.organization}` }, of),
        )
        await fixture.append(
          reviewEvents,
          eventOf(reviewEvents, 'review_requested', { review_id: `r${of.organization}` }, of),
        )
        for (const topic of topics) await fixture.append(topic, eventOf(topic, Object.keys(topic.events)[0]!, {}, of))
        const ids = { subscription_id: `sub${of.organization}`, invoice_id: `in${of.organization}` }
        const facts = [
          ['subscription_created', {}],
          ['subscription_activated', { effective_at: day0 + of.organization }],
          ['invoice_issued', {}],
          ['dunning_stage_changed', { from: 'none', to: 'grace', day: 0 }],
          ['refund_issued', { refund_id: `re${of.organization}` }],
        ] as const
        await fixture.append(
          billingEvents,
          ...facts.map(([type, more]) => eventOf(billingEvents, type, { ...ids, ...more }, of)),
        )
      }
    }
    const before = killed
    await eventually(() => killed > before + 8, 'connections killed')
    await runner.stop()
  }
  isOver = true
  await killing
  expect(killed).toBeGreaterThan(30)

  const model = new MemoryTables()
  const modelRunner = fixture.runner(model)
  modelRunner.start()
  await settled(fixture.log, model)
  await modelRunner.stop()

  const last = fixture.runner(tables)
  last.start()
  await settled(fixture.log, tables)
  const compare = async (): Promise<void> => {
    for (const table of projections.flatMap((projection) => projection.tables)) {
      const wanted = model
        .rows(table)
        .map(({ key, values, partition, offset, changedAt }) => ({ key, values, partition, offset, changedAt }))
      expect(wanted.length, table.name).toBeGreaterThan(0)
      const found = await readRows(pool, table)
      expect(found, table.name).toHaveLength(wanted.length)
      expect(found, table.name).toEqual(expect.arrayContaining(wanted))
    }
  }
  await compare()
  for (const { name } of projections) await last.rebuild(name)
  await compare()
  await last.stop()
}, 60_000)
