import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { looksLikeApiKey } from '../../../api/auth/index.ts'
import type { UserPrincipal } from '../../../api/http/endpoint.ts'
import { openWorld, password, refusal } from './world.ts'
import type { World } from './world.ts'

let world: World
let a: UserPrincipal
let b: UserPrincipal
beforeAll(async () => {
  world = await openWorld({ apiKeysPerOrganization: 5 })
  const enter = async (email: string): Promise<UserPrincipal> => {
    await world.join(email)
    const { access_token } = await world.identity.login({ email, password }, { ip: '::1' })
    return world.identity.authenticate(access_token)
  }
  a = await enter('ada@a.example')
  b = await enter('bob@b.example')
})
afterAll(() => world[Symbol.asyncDispose]())

const unauthorized = [401, 'unauthorized']

describe('API keys', () => {
  it('are shown once, known by their prefix, kept as a digest, and say whose they are', async () => {
    const made = await world.identity.createApiKey(a, { name: 'importer' })
    expect(looksLikeApiKey(made.key)).toBe(true)
    expect(made.key.startsWith(made.prefix)).toBe(true)
    expect(await world.identity.authenticateApiKey(made.key)).toEqual({
      kind: 'api_key',
      tenantId: a.tenantId,
      organizationId: a.organizationId,
      keyId: made.id,
      role: 'producer',
      scopes: ['events:write'],
      perMinute: 60_000,
      perDay: 10_000_000,
    })
    const { key, ...shown } = made
    expect(await world.identity.listApiKeys(a)).toEqual([shown])
    const { rows } = await world.owner.query<{ text: string }>('select k::text as text from auth.api_keys k')
    expect(rows[0]!.text).not.toContain(key.slice(made.prefix.length))
  })

  it('of another tenant are neither listed nor revoked: 404, as for one that never was', async () => {
    const made = await world.identity.createApiKey(a, { name: 'private' })
    expect(await world.identity.listApiKeys(b)).toEqual([])
    for (const id of [made.id, '11111111-1111-4111-8111-111111111111', 'x', "' or 1=1"]) {
      expect(await refusal(world.identity.revokeApiKey(b, id))).toEqual([404, 'not_found'])
    }
    await world.identity.authenticateApiKey(made.key)
  })

  it('stop at once when revoked, in every process', async () => {
    const { id, key } = await world.identity.createApiKey(b, { name: 'short-lived' })
    const elsewhere = world.another()
    await elsewhere.authenticateApiKey(key)
    await world.identity.revokeApiKey(b, id)
    expect(await refusal(elsewhere.authenticateApiKey(key))).toEqual(unauthorized)
    expect(await refusal(world.identity.revokeApiKey(b, id))).toEqual([404, 'not_found'])
    expect(await world.identity.listApiKeys(b)).toEqual([])
  })

  it('are managed by owners only', async () => {
    const member: UserPrincipal = { ...a, role: 'member' }
    const forbidden = [403, 'forbidden']
    expect(await refusal(world.identity.createApiKey(member, { name: 'x' }))).toEqual(forbidden)
    expect(await refusal(world.identity.listApiKeys(member))).toEqual(forbidden)
    expect(await refusal(world.identity.revokeApiKey(member, a.tenantId))).toEqual(forbidden)
  })

  it('are bounded in number, also when many are made at once', async () => {
    const attempts = await Promise.allSettled(
      Array.from({ length: 12 }, (_, n) => world.identity.createApiKey(b, { name: `key ${n}` })),
    )
    expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(5)
    expect(await refusal(world.identity.createApiKey(b, { name: 'one more' }))).toEqual([409, 'too_many_api_keys'])
  })

  it.each(['', 'lck_', `lck_${'x'.repeat(43)}`, `lck_${'x'.repeat(42)}=`, `lck_${'x'.repeat(70_000)}`])(
    'an unknown one is refused like any other credential',
    async (key) => expect(await refusal(world.identity.authenticateApiKey(key))).toEqual(unauthorized),
  )
})
