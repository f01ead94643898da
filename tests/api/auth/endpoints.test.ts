import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ZodType } from 'zod'
import { identityEndpoints } from '../../../api/auth/index.ts'
import type { Answer, Endpoint, Principal } from '../../../api/http/endpoint.ts'
import { enter, founder } from './people.ts'
import { application, openWorld, password, refusal, typesOf } from './world.ts'
import type { World } from './world.ts'

let world: World
let endpoints: ReadonlyMap<string, Endpoint>
beforeAll(async () => {
  world = await openWorld()
  endpoints = new Map(identityEndpoints(world.identity).map((each) => [`${each.method} ${each.path}`, each]))
})
afterAll(() => world[Symbol.asyncDispose]())

/** What the router does: validates, runs; and checks the answer against what the document promises. */
async function call(name: string, body?: unknown, principal: Principal | null = null, params = {}): Promise<Answer> {
  const endpoint = endpoints.get(name)!
  const answer = await endpoint.handler({
    body: endpoint.request?.parse(body),
    query: {},
    params,
    principal,
    ip: '203.0.113.7',
    header: () => undefined,
    stillIn: () => Promise.resolve(true),
  })
  const promised = endpoint.response.find(({ status }) => status === answer.status)
  expect(promised).toBeDefined()
  if (promised!.schema === undefined) expect(answer.body).toBeUndefined()
  else expect((promised!.schema as ZodType).parse(answer.body)).toEqual(answer.body)
  return answer
}

describe('identity endpoints', () => {
  it('are these', () => {
    expect([...endpoints.keys()]).toEqual([
      'post /auth/signup',
      'post /auth/verify-email',
      'post /auth/resend-code',
      'post /auth/login',
      'post /auth/refresh',
      'post /auth/logout',
      'get /profile',
      'post /auth/password/forgot',
      'post /auth/password/reset',
      'get /members',
      'patch /members/:user_id',
      'delete /members/:user_id',
      'post /invitations',
      'get /invitations',
      'delete /invitations/:id',
      'post /auth/invitations/accept',
      'get /join-requests',
      'post /join-requests/:id/decision',
      'post /organization/close',
      'post /api-keys',
      'get /api-keys',
      'delete /api-keys/:id',
    ])
  })

  it('take a person from sign-up to a key and out again, answering what they promise', async () => {
    const email = 'ada@walk.example'
    const signup = await call('post /auth/signup', application(email))
    expect(Object.keys(signup.body as object)).toEqual(['user_id', 'message'])
    await call('post /auth/resend-code', { email })
    const verified = await call('post /auth/verify-email', { email, code: await world.codeOf(email) })
    expect(Object.keys(verified.body as object)).toEqual(['message', 'organization_id'])
    expect(verified.headers).toEqual({ Position: expect.stringMatching(/^outbox:\d+$/) as string })
    const login = await call('post /auth/login', { email, password })
    expect(login.headers).toEqual({ 'Cache-Control': 'no-store' })
    const { refresh_token } = login.body as { refresh_token: string }
    const { body } = await call('post /auth/refresh', { refresh_token })
    const principal = await world.identity.authenticate((body as { access_token: string }).access_token)
    await call('get /profile', undefined, principal)
    const made = await call('post /api-keys', { name: 'importer' }, principal)
    await call('get /api-keys', undefined, principal)
    expect(
      (await call('delete /api-keys/:id', undefined, principal, { id: (made.body as { id: string }).id })).status,
    ).toBe(204)
    expect((await call('post /auth/logout', undefined, principal)).status).toBe(204)
  })

  it('take a colleague in, up and out, answering what they promise', async () => {
    const owner = await founder(world, 'ada@team.example')
    const email = 'bob@elsewhere.example'
    const position = { Position: expect.stringMatching(/^outbox:\d+$/) as string }
    const invited = await call('post /invitations', { email, role: 'member' }, owner)
    expect([invited.status, invited.headers]).toEqual([201, position])
    await call('get /invitations', undefined, owner)
    const code = await world.codeOf(email, 'invitation')
    const accepted = await call('post /auth/invitations/accept', { code, password, first_name: 'Bob', last_name: 'C' })
    expect(accepted.headers).toEqual(position)
    const bob = await enter(world, email)
    const { body } = await call('get /members', undefined, owner)
    expect((body as { members: { user_id: string }[] }).members.map(({ user_id }) => user_id)).toEqual([
      owner.userId,
      bob.userId,
    ])
    const of = { user_id: bob.userId }
    expect((await call('patch /members/:user_id', { role: 'admin' }, owner, of)).headers).toEqual(position)
    expect((await call('patch /members/:user_id', { role: 'admin' }, owner, of)).headers).toEqual({})
    expect((await call('delete /members/:user_id', undefined, owner, of)).status).toBe(204)
    const again = await call('post /invitations', { email, role: 'member' }, owner)
    const id = (again.body as { id: string }).id
    expect((await call('delete /invitations/:id', undefined, owner, { id })).status).toBe(204)

    await world.identity.signup(application('cid@team.example'))
    const verify = { email: 'cid@team.example', code: await world.codeOf('cid@team.example') }
    expect(await refusal(world.identity.verifyEmail(verify))).toEqual([409, 'organization_exists'])
    const asked = (await call('get /join-requests', undefined, owner)).body as { join_requests: { id: string }[] }
    const joined = await call('post /join-requests/:id/decision', { decision: 'approve' }, owner, {
      id: asked.join_requests[0]!.id,
    })
    expect(joined.headers).toEqual(position)
    const closed = await call('post /organization/close', { confirm: 'team.example' }, owner)
    expect([closed.status, closed.headers]).toEqual([204, position])

    // Behaviour 9: each says from where it was asked, as a hash.
    const decided = [
      'member_invited',
      'invitation_accepted',
      'member_role_changed',
      'member_removed',
      'invitation_revoked',
      'join_approved',
      'organization_deleted',
    ]
    const said = (await world.events(owner.organizationId)).filter(({ event_type }) => decided.includes(event_type))
    expect(new Set(typesOf(said))).toEqual(new Set(decided))
    const hashes = new Set(said.map(({ ip_hash }) => ip_hash))
    expect([...hashes]).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)])
  })

  it('give a new password for a code, with the same words for an address nobody has', async () => {
    const email = 'ada@words.example'
    await world.join(email)
    expect(await call('post /auth/password/forgot', { email })).toEqual(
      await call('post /auth/password/forgot', { email: 'nobody@words.example' }),
    )
    const code = await world.codeOf(email, 'reset_password')
    await call('post /auth/password/reset', { email, code, password: 'another good one' })
    await enter(world, email, 'another good one')
  })

  it('answer a known and an unknown address with the same words', async () => {
    const answers = []
    for (const email of ['new@same.example', 'new@same.example']) {
      const { status, body, headers } = await call('post /auth/signup', application(email))
      answers.push({ status, headers, ...(body as object) })
    }
    expect(answers[1]).toEqual(answers[0])
    expect(await call('post /auth/resend-code', { email: 'new@same.example' })).toEqual(
      await call('post /auth/resend-code', { email: 'nobody@same.example' }),
    )
  })

  it.each([
    ['a field nobody knows', { ...application('ada@x.example'), role: 'admin' }, 'unrecognized_keys'],
    ['is_admin', { ...application('ada@x.example'), is_admin: true }, 'unrecognized_keys'],
    ['no e-mail', { ...application('ada@x.example'), email: undefined }, 'invalid_type'],
    ['a list as e-mail', { ...application('ada@x.example'), email: ['ada@x.example'] }, 'invalid_type'],
    ['a blank name', { ...application('ada@x.example'), first_name: '  ' }, 'too_small'],
    ['NUL in a name', { ...application('ada@x.example'), last_name: 'a\0b' }, 'custom'],
    ['a lone surrogate', { ...application('ada@x.example'), company_name: 'a\ud800' }, 'custom'],
    ['a long name', { ...application('ada@x.example'), company_name: 'x'.repeat(201) }, 'too_big'],
    ['a password of a megabyte', { ...application('ada@x.example'), password: 'x'.repeat(1 << 20) }, 'too_big'],
  ])('refuse %s before anything happens', (_, body, code) => {
    const { error } = endpoints.get('post /auth/signup')!.request!.safeParse(body)
    expect(error?.issues[0]?.code).toBe(code)
  })

  it('keep text as it came, through SQL and into the event', async () => {
    const name = '\u202eŁódź 🚀 נ'
    const { body } = await call(
      'post /auth/signup',
      application('ada@text.example', { company_name: name, first_name: name }),
    )
    const events = await world.events()
    expect(events.find((event) => event.email === 'ada@text.example')).toMatchObject({
      company_name: name,
      first_name: name,
    })
    expect((body as { user_id: string }).user_id).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('need six digits for a code', () => {
    const schema = endpoints.get('post /auth/verify-email')!.request!
    for (const code of ['12345', '1234567', 'abcdef', 123456, '１２３４５６']) {
      expect(schema.safeParse({ email: 'ada@x.example', code }).success).toBe(false)
    }
    expect(schema.safeParse({ email: 'ada@x.example', code: ' 123456 ' }).success).toBe(true)
  })
})
