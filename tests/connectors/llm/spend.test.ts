import { afterAll, beforeAll, expect, test } from 'vitest'
import { dayOf, forgetSpend, memoryLedger, sqlLedger } from '../../../connectors/llm/index.ts'
import type { Pool } from '../../../connectors/postgres/index.ts'
import { openPool } from '../../../connectors/postgres/index.ts'
import type { ScratchDatabase } from '../../../deploy/local/scratch-database.ts'
import { scratchDatabase } from '../../../deploy/local/scratch-database.ts'
import { spendLedgerContract } from '../../contracts/spend-ledger.ts'

let database: ScratchDatabase
let effects: Pool
let api: Pool
beforeAll(async () => {
  database = await scratchDatabase()
  effects = openPool(database.urls.effects, { applicationName: 'test-effects' })
  api = openPool(database.urls.api, { applicationName: 'test-api' })
})
afterAll(async () => {
  await Promise.all([effects.end(), api.end()])
  await database.drop()
})

spendLedgerContract('memory', memoryLedger)
spendLedgerContract('SQL', () => sqlLedger(effects))

test('no other role of a process reads or writes what tenants spend', async () => {
  await expect(sqlLedger(api).spent('0a000000-0000-4000-8000-00000000000a', '2026-01-01')).rejects.toThrow('denied')
})

test('SQL keeps a quarter of a year, of every tenant, and nobody can drop the last month', async () => {
  const dayMs = 24 * 60 * 60 * 1000
  const ledger = sqlLedger(effects)
  const tenants = ['0a000000-0000-4000-8000-0000000000a1', '0b000000-0000-4000-8000-0000000000b1']
  const now = Date.now()
  await forgetSpend(effects, now) // what the tests above left
  const days = [0, 40, 91, 93, 400].map((age) => dayOf(now - age * dayMs))
  for (const tenantId of tenants) for (const day of days) await ledger.reserve({ tenantId, day, microdollars: 5 }, 100)
  const kept = async () => Promise.all(tenants.flatMap((tenant) => days.map((day) => ledger.spent(tenant, day))))
  expect(await forgetSpend(effects, now)).toBe(4)
  expect(await kept()).toEqual([5, 5, 5, 0, 0, 5, 5, 5, 0, 0])
  // A clock that is a year ahead drops no budget that is in use.
  await forgetSpend(effects, now + 365 * dayMs)
  expect(await kept()).toEqual([5, 0, 0, 0, 0, 5, 0, 0, 0, 0])
})

test('memory forgets old days, and none that is in use', async () => {
  const ledger = memoryLedger({ days: 2 })
  const on = (day: string) => ({ tenantId: 'a', day, microdollars: 5 })
  for (const day of ['2026-01-01', '2026-01-02', '2026-01-03']) await ledger.reserve(on(day), 100)
  expect(await ledger.spent('a', '2026-01-03')).toBe(5)
  expect(await ledger.spent('a', '2026-01-02')).toBe(5)
  await ledger.settle(on('2026-01-01'), 7)
  expect(await ledger.spent('a', '2026-01-03')).toBe(5)
})

test('a day is UTC', () => {
  expect(dayOf(Date.parse('2026-11-26T23:59:59.999Z'))).toBe('2026-11-26')
  expect(dayOf(Date.parse('2026-11-27T00:30:00+01:00'))).toBe('2026-11-26')
})
