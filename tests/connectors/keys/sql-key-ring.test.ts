import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SqlKeyRing } from '../../../connectors/keys/index.ts'
import { openKeyRing } from '../../../connectors/keys/index.ts'
import { unwrapKey, wrapKey, wrappingKey } from '../../../connectors/keys/key-wrap.ts'
import type { Pool } from '../../../connectors/postgres/index.ts'
import { inTransaction, openPool } from '../../../connectors/postgres/index.ts'
import type { ScratchDatabase } from '../../../deploy/local/scratch-database.ts'
import { scratchDatabase } from '../../../deploy/local/scratch-database.ts'
import type { DatabaseRole } from '../../../deploy/migrate.ts'

let database: ScratchDatabase
const pools = new Map<DatabaseRole, Pool>()
let now = 0
let tenants = 0
const after = (delayMs: number, call: () => void): (() => void) => {
  const timer = setTimeout(call, delayMs)
  return () => clearTimeout(timer)
}
const newTenant = (): string => `0a000000-0000-4000-8000-${String(++tenants).padStart(12, '0')}`
const pool = (role: DatabaseRole): Pool => pools.get(role)!
const ring = (role: DatabaseRole = 'auth', masterSecret = 'master', maxTenants = 100): SqlKeyRing =>
  openKeyRing({ pool: pool(role), masterSecret, clock: { now: () => now, after }, maxTenants, refreshAfterMs: 1000 })
async function created(...ids: string[]): Promise<SqlKeyRing> {
  const auth = ring()
  await inTransaction(pool('auth'), async (client) => {
    for (const id of ids) await auth.create(client, id)
  })
  return auth
}

beforeAll(async () => {
  database = await scratchDatabase()
  for (const role of ['auth', 'relay', 'sink', 'effects', 'api'] as const) {
    pools.set(role, openPool(database.urls[role], { applicationName: `test-${role}` }))
  }
})
afterAll(async () => {
  await Promise.all([...pools.values()].map((opened) => opened.end()))
  await database.drop()
})

describe('openKeyRing', () => {
  test('a tenant has one key of its own, the same in every process', async () => {
    const [a, b] = [newTenant(), newTenant()]
    const auth = await created(a, b)
    await created(a)
    await auth.load([a, b, a])
    expect(auth.get(a)).toHaveLength(32)
    expect(auth.get(a)).not.toEqual(auth.get(b))
    for (const role of ['relay', 'sink', 'effects'] as const) {
      const other = ring(role)
      expect(other.get(a)).toBeUndefined()
      await other.load([a, b])
      expect([other.get(a), other.get(b)]).toEqual([auth.get(a), auth.get(b)])
    }
  })

  test('unknown tenants, and what is no tenant id, stay unknown until they are there', async () => {
    const [a, b] = [newTenant(), newTenant()]
    const auth = ring()
    await auth.load([a, 'no uuid', ''])
    expect([auth.get(a), auth.get('no uuid')]).toEqual([undefined, undefined])
    await created(a, b)
    await auth.load([a])
    expect(auth.get(a)).toHaveLength(32)
    expect(auth.get(b)).toBeUndefined()
  })

  test('a sign-up that is rolled back leaves no key', async () => {
    const a = newTenant()
    const auth = ring()
    await inTransaction(pool('auth'), async (client) => {
      await auth.create(client, a)
      throw new Error('refused')
    }).catch(() => undefined)
    await auth.load([a])
    expect(auth.get(a)).toBeUndefined()
  })

  test('a destroyed key is erased, here at once, elsewhere when it is read again; it never comes back', async () => {
    const [a, b] = [newTenant(), newTenant()]
    const auth = await created(a, b)
    const sink = ring('sink')
    await sink.load([a, b])
    await auth.destroy(a)
    expect(auth.get(a)).toBe('erased')
    await sink.load([a, b])
    expect(sink.get(a)).toHaveLength(32)
    now += 1001
    await sink.load([a, b])
    expect([sink.get(a), sink.get(b)]).toEqual(['erased', expect.any(Buffer)])
    await created(a)
    const fresh = ring()
    await fresh.load([a])
    expect(fresh.get(a)).toBe('erased')
    await expect(auth.destroy(a)).rejects.toMatchObject({ code: 'NO_KEY' })
    const { rows } = await pool('auth').query<{ wrapped_key: null }>(
      'select wrapped_key from auth.data_keys where tenant_id = $1',
      [a],
    )
    expect(rows).toEqual([{ wrapped_key: null }])
  })

  test('a key that is only looked up, never loaded again, is read again as well', async () => {
    const [a, b] = [newTenant(), newTenant()]
    const auth = await created(a, b)
    const sink = ring('sink')
    await sink.load([a, b])
    await auth.destroy(a)
    now += 1001
    expect([sink.get(a), sink.get(b)]).toEqual([expect.any(Buffer), expect.any(Buffer)])
    while (sink.get(a) !== 'erased') await new Promise((done) => setTimeout(done, 5))
    expect(sink.get(b)).toHaveLength(32)
  })

  test('another master secret opens nothing and says so', async () => {
    const [a, b] = [newTenant(), newTenant()]
    await created(a, b)
    await expect(ring('sink', 'other').load([a, b])).rejects.toMatchObject({ code: 'WRONG_MASTER_SECRET' })
  })

  test('memory is bounded: the oldest are let go and read again when asked for', async () => {
    const ids = Array.from({ length: 5 }, newTenant)
    await created(...ids)
    const small = ring('sink', 'master', 3)
    await small.load(ids.slice(0, 3))
    await small.load(ids.slice(3))
    expect(ids.map((id) => small.get(id) !== undefined).filter(Boolean)).toHaveLength(3)
    await small.load(ids.slice(0, 1))
    expect(small.get(ids[0]!)).toHaveLength(32)
  })

  test('who may do what: the api role no key at all, others read, only auth makes and destroys', async () => {
    const [a, b] = [newTenant(), newTenant()]
    await created(a, b)
    await expect(ring('api').load([a, b])).rejects.toMatchObject({ code: '42501' })
    for (const role of ['relay', 'sink', 'effects'] as const) {
      await expect(ring(role).create(pool(role), newTenant())).rejects.toMatchObject({ code: '42501' })
      await expect(ring(role).destroy(a)).rejects.toMatchObject({ code: '42501' })
    }
    for (const statement of [
      'delete from auth.data_keys',
      `update auth.data_keys set tenant_id = tenant_id`,
      `update auth.data_keys set wrapped_key = '\\x00'`,
    ]) {
      await expect(pool('auth').query(statement)).rejects.toMatchObject({ code: '42501' })
    }
  })
})

test('a wrapped key opens for its tenant, under its secret, unchanged; in no other case', () => {
  const [a, b, key] = [newTenant(), newTenant(), Buffer.alloc(32, 7)]
  const under = wrappingKey('master')
  const wrapped = wrapKey(key, a, under)
  expect(unwrapKey(wrapped, a, under)).toEqual(key)
  expect(wrapKey(key, a, under)).not.toEqual(wrapped)
  expect(() => unwrapKey(wrapped, b, under)).toThrow()
  expect(() => unwrapKey(wrapped, a, wrappingKey('other'))).toThrow()
  for (let byte = 0; byte < wrapped.length; byte++) {
    const changed = Buffer.from(wrapped)
    changed[byte]! ^= 1
    expect(() => unwrapKey(changed, a, under), `byte ${byte}`).toThrow()
    expect(() => unwrapKey(wrapped.subarray(0, byte), a, under)).toThrow('not a wrapped key')
  }
})
