import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { UserPrincipal } from '../../../api/http/endpoint.ts'
import { colleague, enter, founder } from './people.ts'
import { application, minuteMs, openWorld, password, refusal, typesOf } from './world.ts'
import type { World } from './world.ts'

let world: World
let ada: UserPrincipal
let eve: UserPrincipal
beforeAll(async () => {
  world = await openWorld({ invitationsPerOrganization: 4 })
  ada = await founder(world, 'ada@a.example')
  eve = await founder(world, 'eve@e.example')
})
afterAll(() => world[Symbol.asyncDispose]())

const invalid = [400, 'invalid_invitation']
const forbidden = [403, 'forbidden']
const names = { first_name: 'Bob', last_name: 'Cole' }
const codeOf = (email: string) => world.codeOf(email, 'invitation')
const accept = (code: string, more: object = { password, ...names }) =>
  world.identity.acceptInvitation({ code, ...more })
const listed = async (of: UserPrincipal) => (await world.identity.listInvitations(of)).map(({ email }) => email)
const clear = async (of: UserPrincipal) => {
  for (const { id } of await world.identity.listInvitations(of)) await world.identity.revokeInvitation(of, id)
}

describe('an invitation', () => {
  it('goes out by reference, and its code makes a member with a password of their own', async () => {
    const before = (await world.events()).length
    const { invitation, position } = await world.identity.invite(ada, { email: ' Bob@Partner.example', role: 'admin' })
    expect(position).toMatch(/^outbox:\d+$/)
    expect(invitation).toMatchObject({ email: 'bob@partner.example', role: 'admin', expired: false })
    const code = await codeOf('bob@partner.example')
    expect(code).toMatch(/^([A-Z2-9]{5}-){3}[A-Z2-9]{5}$/)
    const { organizationId } = await accept(` ${code.toLowerCase().replaceAll('-', ' ')}`)
    expect(organizationId).toBe(ada.organizationId)

    const bob = await enter(world, 'bob@partner.example')
    expect(bob).toMatchObject({ role: 'admin', tenantId: ada.tenantId, organizationId })
    const said = (await world.events()).slice(before, -1)
    expect(typesOf(said)).toEqual([
      'member_invited',
      'message_requested',
      'invitation_accepted',
      'email_verified',
      'member_added',
    ])
    expect(said[1]).toMatchObject({
      template: 'invitation',
      to: 'bob@partner.example',
      data_ref: said[0]!.code_ref,
      data: { host: 'a.example', days: 7 },
    })
    expect(said[4]).toMatchObject({ user_id: bob.userId, role: 'admin', organization_id: organizationId })
    for (const text of [code, code.replaceAll('-', '')]) expect(JSON.stringify(said)).not.toContain(text)
    expect(await listed(ada)).toEqual([])
  })

  it('is accepted once, also by twenty at once (I2)', async () => {
    await world.identity.invite(ada, { email: 'one@crowd.example', role: 'member' })
    const code = await codeOf('one@crowd.example')
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => accept(code)))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await refusal(accept(code))).toEqual(invalid)
    const added = (await world.events(ada.organizationId)).filter(({ event_type }) => event_type === 'member_added')
    expect(added).toHaveLength(3)
  })

  it('ends after seven days, when it is revoked, and when the address is invited again (I1, I2)', async () => {
    await world.identity.invite(ada, { email: 'late@x.example', role: 'member' })
    const late = await codeOf('late@x.example')
    world.time.now += 7 * 24 * 60 * minuteMs
    expect(await refusal(accept(late))).toEqual(invalid)
    expect((await world.identity.listInvitations(ada)).map(({ expired }) => expired)).toEqual([true])

    await world.identity.invite(ada, { email: 'late@x.example', role: 'admin' })
    expect(await listed(ada)).toEqual(['late@x.example'])
    const renewed = await codeOf('late@x.example')
    expect(await refusal(accept(late))).toEqual(invalid)

    const [open] = await world.identity.listInvitations(ada)
    const before = (await world.events()).length
    await world.identity.revokeInvitation(ada, open!.id)
    expect((await world.events()).slice(before)).toMatchObject([
      { event_type: 'invitation_revoked', invitation_id: open!.id, reason: 'revoked' },
    ])
    expect(await refusal(accept(renewed))).toEqual(invalid)
    expect(await refusal(world.identity.revokeInvitation(ada, open!.id))).toEqual([404, 'not_found'])
    expect(await world.count(`auth.codes where recipient = 'late@x.example'`)).toBe(0)
  })

  it('of another tenant is neither listed nor revoked: 404, as for one that never was', async () => {
    const { invitation } = await world.identity.invite(ada, { email: 'private@x.example', role: 'member' })
    expect(await listed(eve)).toEqual([])
    for (const id of [invitation.id, '11111111-1111-4111-8111-111111111111', 'x', "' or 1=1"])
      expect(await refusal(world.identity.revokeInvitation(eve, id))).toEqual([404, 'not_found'])
    // The same address may be invited by both; each code leads to its own.
    await world.identity.invite(eve, { email: 'private@x.example', role: 'member' })
    expect(await listed(eve)).toEqual(['private@x.example'])
    await clear(eve)
    expect(await listed(ada)).toEqual(['private@x.example'])
    await clear(ada)
  })

  it('is sent by owners for any role, by admins for admin and member, by members never (M3)', async () => {
    const admin = await colleague(world, ada, 'admin@rank.example', 'admin')
    const member = await colleague(world, ada, 'member@rank.example', 'member')
    const invite = (by: UserPrincipal, role: 'owner' | 'admin' | 'member') =>
      refusal(world.identity.invite(by, { email: `for-${role}@rank.example`, role }))
    expect(await invite(admin, 'owner')).toEqual(forbidden)
    expect(await invite(admin, 'admin')).toBe('not refused')
    expect(await invite(ada, 'owner')).toBe('not refused')
    expect(await invite(member, 'member')).toEqual(forbidden)
    expect(await refusal(world.identity.listInvitations(member))).toEqual(forbidden)
    const owners = (await world.identity.listInvitations(admin)).find(({ role }) => role === 'owner')!
    expect(await refusal(world.identity.revokeInvitation(admin, owners.id))).toEqual(forbidden)
    // Inviting the address again would end it as well.
    const instead = world.identity.invite(admin, { email: 'for-owner@rank.example', role: 'member' })
    expect(await refusal(instead)).toEqual(forbidden)
    expect((await world.identity.listInvitations(ada)).find(({ id }) => id === owners.id)?.role).toBe('owner')
    await clear(ada)
  })

  it('is bounded: open ones of an organization, and mails to one address', async () => {
    for (let n = 0; n < 4; n++) await world.identity.invite(eve, { email: `n${n}@many.example`, role: 'member' })
    expect(await refusal(world.identity.invite(eve, { email: 'n4@many.example', role: 'member' }))).toEqual([
      409,
      'too_many_invitations',
    ])
    for (let n = 1; n < 5; n++) await world.identity.invite(eve, { email: 'n0@many.example', role: 'member' })
    expect(await refusal(world.identity.invite(eve, { email: 'n0@many.example', role: 'member' }))).toEqual([
      429,
      'too_many_attempts',
      3600,
    ])
    await world.identity.invite(ada, { email: 'n0@many.example', role: 'member' })
    await clear(eve)
    await clear(ada)
  })

  it('is refused for a member, and for words that are no address', async () => {
    expect(await refusal(world.identity.invite(ada, { email: 'ada@a.example', role: 'member' }))).toEqual([
      409,
      'already_member',
    ])
    expect(await refusal(world.identity.invite(ada, { email: 'nobody', role: 'member' }))).toEqual([
      422,
      'invalid_email',
    ])
  })
})

describe('whoever accepts', () => {
  it('and is new brings a name and a good password; nothing is hashed for a wrong code', async () => {
    await world.identity.invite(ada, { email: 'new@x.example', role: 'member' })
    const code = await codeOf('new@x.example')
    for (const more of [{}, { password }, { password, first_name: 'Bob' }])
      expect(await refusal(accept(code, more))).toEqual([422, 'missing_field'])
    expect(await refusal(accept(code, { password: 'short', ...names }))).toEqual([422, 'password_too_short'])
    expect(await refusal(accept('AAAAA-AAAAA-AAAAA-AAAAA', { password: 'short', ...names }))).toEqual(invalid)
    await accept(code)
    await enter(world, 'new@x.example')
  })

  it('and signed up before without verifying gets no password that somebody else chose (I3)', async () => {
    await world.identity.signup(application('victim@squat.example', { password: 'chosen by a squatter' }))
    const signupCode = await world.codeOf('victim@squat.example')
    await world.identity.invite(ada, { email: 'victim@squat.example', role: 'member' })
    const code = await codeOf('victim@squat.example')
    expect(await refusal(accept(code, {}))).toEqual([422, 'missing_field'])
    await accept(code)
    expect(await refusal(enter(world, 'victim@squat.example', 'chosen by a squatter'))).toEqual([
      401,
      'wrong_credentials',
    ])
    const victim = await enter(world, 'victim@squat.example')
    expect(victim).toMatchObject({ organizationId: ada.organizationId, role: 'member' })
    // The code of that sign-up makes no organization any more.
    expect(await refusal(world.identity.verifyEmail({ email: 'victim@squat.example', code: signupCode }))).toEqual([
      400,
      'invalid_code',
    ])
    expect(await world.count(`auth.organizations where email_host = 'squat.example' and status <> 'superseded'`)).toBe(
      0,
    )
  })

  it('and belongs to another organization leaves that first', async () => {
    const zoe = await founder(world, 'zoe@z.example')
    await world.identity.invite(ada, { email: 'zoe@z.example', role: 'member' })
    const code = await codeOf('zoe@z.example')
    for (const more of [{}, { password, ...names }])
      expect(await refusal(accept(code, more))).toEqual([409, 'already_in_organization'])
    const yan = await colleague(world, zoe, 'yan@z.example', 'owner')
    await world.identity.removeMember(zoe, zoe.userId)
    expect(await refusal(accept(code, { password, ...names }))).toEqual([422, 'has_password'])
    await accept(code, {})
    expect(await enter(world, 'zoe@z.example')).toMatchObject({ tenantId: ada.tenantId, role: 'member' })
    expect((await world.identity.listMembers(yan)).map(({ email }) => email)).toEqual(['yan@z.example'])
  })

  it('a sign-up and an acceptance of one address at the same moment: one user', async () => {
    for (let round = 0; round < 5; round++) {
      const email = `both${round}@race.example`
      await world.identity.invite(ada, { email, role: 'member' })
      const code = await codeOf(email)
      await Promise.allSettled([world.identity.signup(application(email)), world.another().acceptInvitation({ code, password, ...names })]) // prettier-ignore
      expect(await world.count(`auth.users where email = '${email}'`)).toBe(1)
      await refusal(accept(code))
      expect(await enter(world, email)).toMatchObject({ organizationId: ada.organizationId })
    }
  })
})
