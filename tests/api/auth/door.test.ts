/** Credentials at the HTTP door: what bad ones are answered, what a key may do, and that bad ones cost little. */

import { createHmac, generateKeyPairSync, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { endpoint, identityEndpoints, identitySettings, tokenKeyOf } from '../../../api/index.ts'
import { accessTokens } from '../../../api/auth/tokens.ts'
import { call, raw, serve, statusOf, systemClock } from '../http/world.ts'
import type { TestServer } from '../http/world.ts'
import { founder } from './people.ts'
import { openWorld } from './world.ts'
import type { World } from './world.ts'

const secret = 'the secret of today, which is long enough'
const before = 'the secret of yesterday, long enough too'
const nowS = Math.floor(Date.now() / 1000)
const current = tokenKeyOf(secret)
const rest = { codeSecret: Buffer.alloc(32, 1), pepper: Buffer.alloc(32, 2) }
const tokens = accessTokens(identitySettings({ tokenKeys: [current, tokenKeyOf(before)], ...rest }), systemClock)
const [tenantA, tenantB] = [randomUUID(), randomUUID()]

/** Answers who asks: the token's own claims, so that what is good is seen to be. */
const whoAmI = endpoint({
  method: 'get',
  path: '/who',
  summary: 'Who asks',
  tag: 'test',
  auth: 'bearer',
  response: [{ status: 200, description: 'The tenant' }],
  handler: async ({ principal }) => ({ status: 200, body: { tenant: principal.tenantId } }),
})
const read = endpoint({ ...whoAmI, path: '/read', auth: 'any', scope: 'read' })
const write = endpoint({ ...whoAmI, method: 'post', path: '/write', auth: 'api_key', scope: 'events:write' })
const unscoped = endpoint({ ...whoAmI, path: '/unscoped', auth: 'any' })

let server: TestServer
beforeAll(async () => {
  server = await serve(
    [whoAmI],
    {},
    {
      authenticate: async (token) => {
        const { sub, tenant_id, organization_id, user_type, role, sid, jti } = await tokens.verify(token)
        return {
          ...({ kind: 'user', tenantId: tenant_id, organizationId: organization_id, userId: sub } as const),
          ...{ userType: user_type, role, sessionId: sid, tokenId: jti },
        }
      },
    },
  )
})
afterAll(() => server.close())

const claimsOf = (tenant: string) => ({
  ...{ iss: 'lifecycle', aud: 'lifecycle-api', sub: randomUUID(), tenant_id: tenant, organization_id: randomUUID() },
  ...{ user_type: 'client', role: 'owner', jti: randomUUID(), sid: randomUUID() },
  ...{ iat: nowS, nbf: nowS, exp: nowS + 3600 },
})
const claims = claimsOf(tenantA)
const header = { alg: 'HS256', kid: current.kid, typ: 'at+jwt' }
const part = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
function signed(payload: unknown, head: unknown = header, key: Buffer | string = secret): string {
  const text = `${part(head)}.${part(payload)}`
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
}
const without = (name: keyof typeof claims): unknown =>
  Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name))
const ask = (authorization: string) => call(`${server.url}/api/v1/who`, { headers: { Authorization: authorization } })

test('good tokens of two tenants are taken, and each says its own: what is refused below is refused for its reason', async () => {
  for (const tenant of [tenantA, tenantB])
    expect(await ask(`Bearer ${signed(claimsOf(tenant))}`)).toMatchObject({ status: 200, body: { tenant } })
})

const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
const text = JSON.stringify(claims)
const shapes: readonly (readonly [row: number, what: string, token: string])[] = [
  [28, 'alg none', `${part({ ...header, alg: 'none' })}.${part(claims)}.`],
  [28, 'alg none with a signature', signed(claims, { ...header, alg: 'none' })],
  [28, 'HS256 signed with the RSA public key', signed(claims, header, pem)],
  [28, 'alg in lower case', signed(claims, { ...header, alg: 'hs256' })],
  [28, 'kid that is a path', signed(claims, { ...header, kid: '../../x' })],
  [28, 'kid that is SQL', signed(claims, { ...header, kid: "' OR 1=1" })],
  [28, 'kid that nobody has', signed(claims, { ...header, kid: '0123456789abcdef' })],
  [28, 'jku', signed(claims, { ...header, jku: 'http://127.0.0.1:9/keys' })],
  [28, 'jwk', signed(claims, { ...header, jwk: { kty: 'oct', k: Buffer.from(secret).toString('base64url') } })],
  [28, 'no typ', signed(claims, { alg: 'HS256', kid: current.kid })],
  [28, 'typ id_token', signed(claims, { ...header, typ: 'id_token' })],
  [29, 'exp past by 61 s', signed({ ...claims, exp: nowS - 61 })],
  [29, 'no exp', signed(without('exp'))],
  [29, 'exp "never"', signed({ ...claims, exp: 'never' })],
  [29, 'nbf ahead', signed({ ...claims, nbf: nowS + 3600 })],
  [29, 'aud a list without us', signed({ ...claims, aud: ['a', 'b'] })],
  [29, 'another iss', signed({ ...claims, iss: 'evil' })],
  [29, 'no tenant', signed(without('tenant_id'))],
  [29, 'tenant a list', signed({ ...claims, tenant_id: [tenantA, tenantB] })],
  [30, 'five parts (JWE)', `${signed(claims)}.${part('iv')}.${part('tag')}`],
  [30, 'crit unknown', signed(claims, { ...header, crit: ['x'], x: 1 })],
  [30, 'padding', `${signed(claims)}=`],
  [30, 'a claim twice', signed(text.replace('{', `{"tenant_id":"${tenantB}",`))],
]

describe('bad inputs 28 to 30 at the door: one answer to all', () => {
  it.each(shapes)('row %i: %s', async (_row, _what, token) => {
    const answer = await ask(`Bearer ${token}`)
    const { request_id: _id, ...body } = answer.body
    expect([answer.status, answer.headers.get('www-authenticate'), body]).toEqual([
      401,
      'Bearer',
      {
        type: 'urn:problem:unauthorized',
        title: 'Unauthorized',
        status: 401,
        code: 'unauthorized',
        detail: 'The credentials are missing, wrong or no longer valid.',
      },
    ])
  })

  it.each([
    ['whitespace inside', (token: string) => token.replace('.', '. ')],
    ['two tokens', (token: string) => `${token} ${token}`],
    ['another scheme', (token: string) => token.replace(/^/, 'x')],
  ])('row 30: %s', async (_what, change) => {
    expect((await ask(`Bearer ${change(signed(claims))}`)).status).toBe(401)
  })

  it('row 29: a token of 64 KB is 431, and the next good request works', async () => {
    const huge = signed({ ...claims, more: 'x'.repeat(64 * 1024) })
    const { text: answer } = await raw(server.port, [
      `GET /api/v1/who HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${huge}\r\n\r\n`,
    ])
    expect(statusOf(answer)).toBe(431)
    expect((await ask(`Bearer ${signed(claims)}`)).status).toBe(200)
  })
})

test('row 32: a secret is changed in mid-traffic: the first signs, those before verify, one taken off the list is 401', async () => {
  const { token } = await tokens.mint({ ...claims, user_type: 'client' })
  expect(JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString())).toEqual(header)
  const old = signed(claims, { ...header, kid: tokenKeyOf(before).kid }, before)
  expect((await ask(`Bearer ${old}`)).status).toBe(200)
  // The name of one key with the secret of the other.
  expect((await ask(`Bearer ${signed(claims, header, before)}`)).status).toBe(401)
  const gone = tokenKeyOf('the secret of last year, long enough too')
  expect((await ask(`Bearer ${signed(claims, { ...header, kid: gone.kid }, gone.secret)}`)).status).toBe(401)
})

describe('an API key at the door', () => {
  let world: World
  let door: TestServer
  beforeAll(async () => {
    world = await openWorld()
    door = await serve(
      [read, write, unscoped, ...identityEndpoints(world.identity)],
      {},
      {
        authenticate: (token) => world.identity.authenticate(token),
        authenticateApiKey: (key) => world.identity.authenticateApiKey(key),
        spendQuota: (key) => world.identity.spendQuota(key),
      },
    )
  })
  afterAll(async () => {
    await door.close()
    await world[Symbol.asyncDispose]()
  })
  const use = async (token: string, path: string, method = 'GET') => {
    const { status, body } = await call(`${door.url}/api/v1${path}`, { token, method })
    return [status, body?.code ?? body?.tenant]
  }

  it('does what its scopes say and nothing else, for its own tenant', async () => {
    for (const email of ['ada@a.example', 'bob@b.example']) {
      const owner = await founder(world, email)
      const make = async (scopes?: ('read' | 'events:write')[]) =>
        (await world.identity.createApiKey(owner, { name: 'x', ...(scopes === undefined ? {} : { scopes }) })).key
      const [reader, writer, both] = [await make(['read']), await make(), await make(['events:write', 'read'])]
      const { tenantId } = owner
      expect(await use(reader, '/read')).toEqual([200, tenantId])
      expect(await use(reader, '/write', 'POST')).toEqual([403, 'insufficient_scope'])
      expect(await use(writer, '/read')).toEqual([403, 'insufficient_scope'])
      expect(await use(writer, '/write', 'POST')).toEqual([200, tenantId])
      expect(await use(both, '/read')).toEqual([200, tenantId])
      expect(await use(both, '/write', 'POST')).toEqual([200, tenantId])
      // An endpoint that names no scope lets no key in; one for people lets none in either.
      expect(await use(both, '/unscoped')).toEqual([403, 'insufficient_scope'])
      expect(await use(both, '/members')).toEqual([403, 'wrong_credential'])
    }
  })

  it('is told its quota in every answer, and 429 with Retry-After past it', async () => {
    const owner = await founder(world, 'cid@c.example')
    const { key } = await world.identity.createApiKey(owner, { name: 'few', scopes: ['read'], per_minute: 2 })
    const get = () => call(`${door.url}/api/v1/read`, { token: key })
    const named = (headers: Headers) => ['limit', 'remaining', 'reset'].map((name) => headers.get(`ratelimit-${name}`))
    const [first, second, third] = [await get(), await get(), await get()]
    expect([first.status, second.status, third.status]).toEqual([200, 200, 429])
    expect(named(first.headers)).toEqual(['2', '1', '60'])
    expect(named(second.headers)).toEqual(['2', '0', '60'])
    expect([third.body.code, third.headers.get('retry-after'), ...named(third.headers)]).toEqual([
      'quota_exceeded',
      '60',
      '2',
      '0',
      '60',
    ])
  })
})
