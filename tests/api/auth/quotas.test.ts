import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ApiKeyPrincipal, UserPrincipal } from '../../../api/http/endpoint.ts'
import { founder } from './people.ts'
import { minuteMs, openWorld, refusal } from './world.ts'
import type { World } from './world.ts'

let world: World
let a: UserPrincipal
let b: UserPrincipal
beforeAll(async () => {
  world = await openWorld({ apiKeyPerMinute: 7, apiKeyPerDay: 0 })
  a = await founder(world, 'ada@a.example')
  b = await founder(world, 'bob@b.example')
})
beforeEach(() => {
  world.time.now = Math.ceil(world.time.now / minuteMs + 1) * minuteMs
})
afterAll(() => world[Symbol.asyncDispose]())

async function keyOf(of: UserPrincipal, quota: { per_minute?: number; per_day?: number }): Promise<ApiKeyPrincipal> {
  const { key } = await world.identity.createApiKey(of, { name: 'counted', ...quota })
  return world.identity.authenticateApiKey(key)
}
const spendMany = async (spend: () => Promise<unknown>, times: number): Promise<number> =>
  (await Promise.allSettled(Array.from({ length: times }, spend))).filter(({ status }) => status === 'fulfilled').length

describe('the quota of an API key', () => {
  it('lets through its number in a minute, says what is left, and when to come back', async () => {
    const key = await keyOf(a, { per_minute: 3, per_day: 1_000 })
    const left = async () => (await world.identity.spendQuota(key))['RateLimit-Remaining']
    expect([await left(), await left(), await left()]).toEqual(['2', '1', '0'])
    world.time.now += 20_000
    expect(await refusal(world.identity.spendQuota(key))).toEqual([429, 'quota_exceeded', 40])
    world.time.now += 40_000
    expect(await world.identity.spendQuota(key)).toEqual({
      'RateLimit-Limit': '3',
      'RateLimit-Remaining': '2',
      'RateLimit-Reset': '60',
    })
  })

  it.each([1, 10, 49, 50, 125])(
    'of %i is never passed by three processes at once, and reached by one (U1, U2)',
    async (limit) => {
      const key = await keyOf(a, { per_minute: limit })
      const processes = [world.another(), world.another(), world.another()]
      const passed = await Promise.all(processes.map((each) => spendMany(() => each.spendQuota(key), limit)))
      const total = passed.reduce((sum, n) => sum + n, 0)
      expect(total).toBeLessThanOrEqual(limit)
      // What others hold of a lease is the most that can be lost.
      expect(total).toBeGreaterThanOrEqual(limit - 2 * Math.max(1, Math.floor(limit / 50)))
      world.time.now += minuteMs
      expect(await spendMany(() => world.another().spendQuota(key), 1)).toBe(1)
    },
  )

  it('of a day ends at midnight UTC, however the minutes go (U3)', async () => {
    const day = 24 * 60 * minuteMs
    world.time.now = Math.ceil(world.time.now / day) * day + day - 2 * minuteMs
    const key = await keyOf(a, { per_minute: 100, per_day: 5 })
    expect(await spendMany(() => world.identity.spendQuota(key), 8)).toBe(5)
    world.time.now += minuteMs
    expect(await refusal(world.identity.spendQuota(key))).toEqual([429, 'quota_exceeded', 60])
    world.time.now += minuteMs
    expect(await spendMany(() => world.identity.spendQuota(key), 8)).toBe(5)
  })

  it('is the platform’s where the key has none, 0 is no limit, and two tenants do not share one', async () => {
    const [mine, yours] = [await keyOf(a, {}), await keyOf(b, {})]
    expect([mine.perMinute, mine.perDay]).toEqual([7, 0])
    expect(await spendMany(() => world.identity.spendQuota(mine), 20)).toBe(7)
    expect(await spendMany(() => world.identity.spendQuota(yours), 20)).toBe(7)
    const endless = { ...mine, perMinute: 0 }
    expect(await spendMany(() => world.identity.spendQuota(endless), 50)).toBe(50)
    expect(await world.identity.spendQuota(endless)).toEqual({})
  })

  it('is asked for in SQL once per lease, not once per request (U2)', async () => {
    const key = await keyOf(a, { per_minute: 5_000 })
    let asked = 0
    const pool = world.auth as unknown as { query: (...given: unknown[]) => unknown }
    const query = pool.query
    pool.query = (...given) => {
      asked += 1
      return query.apply(world.auth, given)
    }
    const passed = await spendMany(() => world.identity.spendQuota(key), 1_000)
    pool.query = query
    expect(passed).toBe(1_000)
    expect(asked).toBe(10)
  })
})

describe('scopes', () => {
  it('are what the key was made with, and shown with it', async () => {
    const made = await world.identity.createApiKey(a, { name: 'reader', scopes: ['read'], per_minute: 5 })
    expect(made).toMatchObject({ scopes: ['read'], per_minute: 5, per_day: 0 })
    expect(await world.identity.authenticateApiKey(made.key)).toMatchObject({ scopes: ['read'], perMinute: 5 })
    const { key: _, ...shown } = made
    expect(await world.identity.listApiKeys(a)).toContainEqual(shown)
    expect(await world.identity.listApiKeys(b)).not.toContainEqual(shown)
  })

  it('the database refuses a scope nobody knows', async () => {
    const unknown = world.owner.query(`update auth.api_keys set scopes = '{admin}'`)
    await expect(unknown).rejects.toThrow('api_keys_scopes_check')
  })
})
