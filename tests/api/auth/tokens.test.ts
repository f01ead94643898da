import { createHmac, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { identitySettings, tokenKeyOf } from '../../../api/auth/settings.ts'
import { accessTokens, unauthorized } from '../../../api/auth/tokens.ts'

const now = 1_767_225_600_000
const nowS = now / 1000
const secret = randomBytes(32)
const secrets = { codeSecret: randomBytes(32), pepper: randomBytes(32) }
const settings = identitySettings({ tokenKeys: [{ kid: 'k1', secret }], ...secrets })
let time = now
const clock = { now: () => time, after: () => () => undefined }
const tokens = accessTokens(settings, clock)

const subject = {
  sub: randomUUID(),
  tenant_id: randomUUID(),
  organization_id: randomUUID(),
  user_type: 'client' as const,
  role: 'owner',
  jti: randomUUID(),
  sid: randomUUID(),
}
const claims = { iss: 'lifecycle', aud: 'lifecycle-api', ...subject, iat: nowS, nbf: nowS, exp: nowS + 3600 }
const header = { alg: 'HS256', kid: 'k1', typ: 'at+jwt' }

const part = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
/** Signs whatever is asked for, as an attacker who had the key would: only the claims or the header are wrong. */
function signed(payload: unknown, head: unknown = header, key: Buffer | string = secret): string {
  const text = `${part(head)}.${part(payload)}`
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
}
function signedBytes(payload: Buffer): string {
  const text = `${part(header)}.${payload.toString('base64url')}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}
const without = (name: keyof typeof claims): unknown =>
  Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name))

async function refused(token: string): Promise<void> {
  const error: unknown = await tokens.verify(token).then(
    () => null,
    (problem: unknown) => problem,
  )
  expect(error).toEqual(unauthorized())
}

describe('access tokens', () => {
  it('are verified as they were minted', async () => {
    const { token, expiresInS } = await tokens.mint(subject)
    expect(expiresInS).toBe(24 * 3600)
    expect(await tokens.verify(token)).toMatchObject(subject)
    expect(JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString())).toEqual(header)
  })

  it('the hand-made token of these tests is good, so each case below fails for its own reason', async () => {
    expect(await tokens.verify(signed(claims))).toEqual(claims)
  })

  it('end after 24 hours and a minute for clocks that differ', async () => {
    const { token } = await tokens.mint(subject)
    time = now + 24 * 3600_000 + 59_000
    await tokens.verify(token)
    time = now + 24 * 3600_000 + 61_000
    await refused(token)
    time = now
  })
})

describe('after an upgrade', () => {
  const [present, earlier] = ['p'.repeat(32), 'e'.repeat(32)]
  const upgraded = accessTokens(identitySettings({ tokenKeys: [present, earlier].map(tokenKeyOf), ...secrets }), clock)
  const refusedThere = (token: string) => expect(upgraded.verify(token)).rejects.toEqual(unauthorized())

  it('a token of before, whose key had the one name of then, is good until it ends, whichever of our secrets signed it', async () => {
    for (const key of [present, earlier]) expect(await upgraded.verify(signed(claims, header, key))).toEqual(claims)
    await refusedThere(signed({ ...claims, exp: nowS - 61 }, header, present))
  })

  it('the name opens nothing that another secret signed, and new tokens do not bear it', async () => {
    await refusedThere(signed(claims, header, 'x'.repeat(32)))
    await refusedThere(signed(claims, { ...header, kid: 'k2' }, present))
    await refusedThere(signed(claims, { alg: 'HS256', typ: 'at+jwt' }, present))
    const { token } = await upgraded.mint(subject)
    expect(JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString())).toMatchObject({
      kid: tokenKeyOf(present).kid,
    })
  })

  it('a secret past its end verifies nothing under that name either', async () => {
    const tokenKeys = [tokenKeyOf(present), { ...tokenKeyOf(earlier), verifiesUntil: now - 1 }]
    const later = accessTokens(identitySettings({ tokenKeys, ...secrets }), clock)
    await expect(later.verify(signed(claims, header, earlier))).rejects.toEqual(unauthorized())
    expect(await later.verify(signed(claims, header, present))).toEqual(claims)
  })
})

describe('bad input 28: headers', () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  it.each<[string, string]>([
    ['alg none, no signature', `${part({ ...header, alg: 'none' })}.${part(claims)}.`],
    ['alg none, signed', signed(claims, { ...header, alg: 'none' })],
    ['alg in lower case', signed(claims, { ...header, alg: 'hs256' })],
    ['alg HS512', signed(claims, { ...header, alg: 'HS512' })],
    ['alg RS256', signed(claims, { ...header, alg: 'RS256' })],
    [
      'signed with an RSA public key',
      signed(claims, header, publicKey.export({ type: 'spki', format: 'pem' }).toString()),
    ],
    ['another secret', signed(claims, header, randomBytes(32))],
    ['kid as a path', signed(claims, { ...header, kid: '../../x' })],
    ['kid as SQL', signed(claims, { ...header, kid: "' OR 1=1" })],
    ['kid __proto__', signed(claims, { ...header, kid: '__proto__' })],
    ['kid a number', signed(claims, { ...header, kid: 1 })],
    ['no kid', signed(claims, { alg: 'HS256', typ: 'at+jwt' })],
    ['no typ', signed(claims, { alg: 'HS256', kid: 'k1' })],
    ['typ id_token', signed(claims, { ...header, typ: 'id_token' })],
    ['typ JWT', signed(claims, { ...header, typ: 'JWT' })],
    ['jwk', signed(claims, { ...header, jwk: { kty: 'oct', k: secret.toString('base64url') } })],
    ['x5u', signed(claims, { ...header, x5u: 'https://acme.example/x' })],
    ['crit', signed(claims, { ...header, crit: ['exp'], exp: 1 })],
    ['b64 false', signed(claims, { ...header, b64: false, crit: ['b64'] })],
    ['zip', signed(claims, { ...header, zip: 'DEF' })],
    ['a header that is a list', signed(claims, [header])],
  ])('%s', (_, token) => refused(token))

  it('a jku is never asked', async () => {
    let asked = 0
    const server = createServer((_, response) => {
      asked++
      response.end('{}')
    }).listen(0, '127.0.0.1')
    await new Promise((ready) => server.once('listening', ready))
    const jku = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`
    await refused(signed(claims, { ...header, jku }))
    await new Promise((closed) => server.close(closed))
    expect(asked).toBe(0)
  })
})

describe('bad input 30: forms', () => {
  const twice = (text: string, name: string, value: unknown): string =>
    text.replace(/^\{/, `{${JSON.stringify(name)}:${JSON.stringify(value)},`)
  it.each<[string, string]>([
    ['five parts (JWE)', `${signed(claims)}.${part('iv')}.${part('tag')}`],
    ['a claim twice, the last one ours (A4)', signed(twice(JSON.stringify(claims), 'tenant_id', randomUUID()))],
    ['a claim twice, both ours (A4)', signed(twice(JSON.stringify(claims), 'role', claims.role))],
    ['a header twice (A4)', signed(claims, twice(JSON.stringify(header), 'alg', 'none'))],
    ['bytes that are not UTF-8', signedBytes(Buffer.from([0x7b, 0xff, 0x7d]))],
    ['padding in the claims', signed(claims).replace(/\.(?=[^.]*$)/, '=.')],
    ['base64 instead of base64url', signed({ ...claims, more: '\u00bf\u00ff\u00be'.repeat(9) }).replaceAll('_', '/')],
  ])('%s', (_, token) => refused(token))
})

describe('bad input 29: claims', () => {
  it.each<[string, unknown]>([
    ['exp past by 61 s', { ...claims, exp: nowS - 61 }],
    ['exp past by exactly the tolerance', { ...claims, exp: nowS - 60 }],
    ['exp missing', without('exp')],
    ['exp "never"', { ...claims, exp: 'never' }],
    ['exp null', { ...claims, exp: null }],
    ['exp 1e400', JSON.stringify(claims).replace(/"exp":\d+/, '"exp":1e400')],
    ['nbf ahead', { ...claims, nbf: nowS + 61 }],
    ['nbf missing', without('nbf')],
    ['iat missing', without('iat')],
    ['aud a list without us', { ...claims, aud: ['a', 'b'] }],
    ['aud a list with us', { ...claims, aud: ['lifecycle-api', 'b'] }],
    ['aud missing', without('aud')],
    ['another iss', { ...claims, iss: 'evil' }],
    ['iss missing', without('iss')],
    ['no tenant', without('tenant_id')],
    ['tenant a list', { ...claims, tenant_id: [claims.tenant_id] }],
    ['tenant not a UUID', { ...claims, tenant_id: '*' }],
    ['no organization', without('organization_id')],
    ['no sub', without('sub')],
    ['no sid', without('sid')],
    ['no jti', without('jti')],
    ['role empty', { ...claims, role: '' }],
    ['user_type unknown', { ...claims, user_type: 'root' }],
    ['claims that are a list', [claims]],
    ['claims that are text', 'claims'],
  ])('%s', (_, payload) => refused(signed(payload)))

  it('64 KB', () => refused(signed({ ...claims, more: 'x'.repeat(64 * 1024) })))

  it.each(['', '.', '..', 'a.b', 'a.b.c.d.e', 'x'.repeat(100)])('%j', (token) => refused(token))

  it('padding, whitespace, and a tail', async () => {
    const token = signed(claims)
    for (const changed of [`${token}=`, ` ${token}`, `${token}\n`, token.replace('.', '. '), `${token}.x`]) {
      await refused(changed)
    }
  })

  it('every changed byte of the signature', async () => {
    const [head, body, signature] = signed(claims).split('.') as [string, string, string]
    const bytes = Buffer.from(signature, 'base64url')
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= 0x80
      await refused(`${head}.${body}.${changed.toString('base64url')}`)
    }
  })
})

describe('a change of signing keys', () => {
  const next = { kid: 'k2', secret: randomBytes(32) }
  const rotated = accessTokens(
    identitySettings({ tokenKeys: [next, { kid: 'k1', secret, verifiesUntil: now + 1000 }], ...secrets }),
    clock,
  )

  it('signs with the first, verifies with the old one until its end, and with no unknown one', async () => {
    const { token } = await rotated.mint(subject)
    expect(JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString())).toMatchObject({ kid: 'k2' })
    expect(await rotated.verify(signed(claims))).toEqual(claims)
    time = now + 1001
    await expect(rotated.verify(signed(claims))).rejects.toEqual(unauthorized())
    time = now
    await refused(token)
  })

  it('keys are named after their secret: the same in every process, and nothing of it', () => {
    const [one, other] = ['a'.repeat(40), 'b'.repeat(40)]
    expect(tokenKeyOf(one)).toEqual(tokenKeyOf(one))
    expect(tokenKeyOf(one).kid).toMatch(/^[0-9a-f]{16}$/)
    expect(tokenKeyOf(one).kid).not.toBe(tokenKeyOf(other).kid)
  })

  it('refuses weak settings in a line', () => {
    const weak = (tokenKeys: { kid: string; secret: Buffer }[]) => () => identitySettings({ tokenKeys, ...secrets })
    expect(weak([])).toThrow('no key')
    expect(weak([{ kid: 'k1', secret: randomBytes(31) }])).toThrow('31 bytes')
    expect(weak([{ kid: '../x', secret }])).toThrow('kid')
    expect(weak([next, next])).toThrow('same kid')
  })
})
