import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Role } from '../../../api/auth/membership-schemas.ts'
import type { UserPrincipal } from '../../../api/http/endpoint.ts'
import { colleague, enter, founder } from './people.ts'
import { openWorld, password, refusal, typesOf } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => void (world = await openWorld()))
afterAll(() => world[Symbol.asyncDispose]())

const forbidden = [403, 'forbidden']
const lastOwner = [409, 'last_owner']
const notFound = [404, 'not_found']
const unauthorized = [401, 'unauthorized']

/** The newest events of an organization since a place. */
const since = async (of: UserPrincipal, before: number) => (await world.events(of.organizationId)).slice(before)
const rolesOf = async (of: UserPrincipal): Promise<string[]> =>
  (await world.identity.listMembers(of)).map(({ email, role }) => `${email.split('@')[0]!} ${role}`)

describe('catalogue 5.0, behaviour 6: the last owner', () => {
  it('is neither removed nor demoted, by themself or another, and nothing is written (M2)', async () => {
    const ada = await founder(world, 'ada@last.example')
    const bob = await colleague(world, ada, 'bob@last.example', 'admin')
    const before = (await world.events()).length
    for (const role of ['admin', 'member'] as const)
      expect(await refusal(world.identity.changeRole(ada, ada.userId, role))).toEqual(lastOwner)
    expect(await refusal(world.identity.removeMember(ada, ada.userId))).toEqual(lastOwner)
    expect(await refusal(world.identity.removeMember(bob, ada.userId))).toEqual(forbidden)
    expect((await world.events()).length).toBe(before)
    expect(await rolesOf(ada)).toEqual(['ada owner', 'bob admin'])
  })

  it('may go once there is another', async () => {
    const ada = await founder(world, 'ada@heir.example')
    const bob = await colleague(world, ada, 'bob@heir.example', 'member')
    await world.identity.changeRole(ada, bob.userId, 'owner')
    await world.identity.removeMember(ada, ada.userId)
    expect(await rolesOf(bob)).toEqual(['bob owner'])
    expect(await refusal(world.identity.removeMember(bob, bob.userId))).toEqual(lastOwner)
  })

  it('two owners who demote, or remove, each other at the same moment: one stays (M1, M2)', async () => {
    for (let round = 0; round < 6; round++) {
      const ada = await founder(world, `ada@duel${round}.example`)
      const bob = await colleague(world, ada, `bob@duel${round}.example`, 'owner')
      const act = (one: UserPrincipal, other: UserPrincipal) =>
        round % 2 === 0
          ? world.another().changeRole(one, other.userId, 'member')
          : world.another().removeMember(one, other.userId)
      const outcomes = await Promise.all([refusal(act(ada, bob)), refusal(act(bob, ada))])
      expect(outcomes.filter((outcome) => outcome === 'not refused')).toHaveLength(1)
      expect(outcomes).toContainEqual(round % 2 === 0 ? forbidden : unauthorized)
      expect(
        await world.count(
          `auth.users where role = 'owner' and removed_at is null and organization_id = '${ada.organizationId}'`,
        ),
      ).toBe(1)
    }
  })

  it('two owners who step down at the same moment: one may not (M1, M2)', async () => {
    const ada = await founder(world, 'ada@leave.example')
    const bob = await colleague(world, ada, 'bob@leave.example', 'owner')
    const outcomes = await Promise.all([
      refusal(world.another().changeRole(ada, ada.userId, 'member')),
      refusal(world.another().removeMember(bob, bob.userId)),
    ])
    expect(outcomes).toContain('not refused')
    expect(outcomes).toContainEqual(lastOwner)
  })
})

describe('roles', () => {
  it('owners decide about everyone, admins about admins and members, members about no one (M3)', async () => {
    const owner = await founder(world, 'ada@rank.example')
    const admin = await colleague(world, owner, 'bob@rank.example', 'admin')
    const member = await colleague(world, owner, 'cid@rank.example', 'member')
    const change = (by: UserPrincipal, of: UserPrincipal, role: 'owner' | 'admin' | 'member') =>
      refusal(world.identity.changeRole(by, of.userId, role))
    expect(await change(admin, owner, 'member')).toEqual(forbidden)
    expect(await change(admin, member, 'owner')).toEqual(forbidden)
    expect(await change(admin, admin, 'owner')).toEqual(forbidden)
    expect(await change(admin, member, 'admin')).toBe('not refused')
    expect(await change(admin, member, 'member')).toBe('not refused')
    for (const [of, role] of [
      [owner, 'member'],
      [admin, 'member'],
      [member, 'admin'],
    ] as const)
      expect(await change(member, of, role)).toEqual(forbidden)
    expect(await refusal(world.identity.removeMember(member, admin.userId))).toEqual(forbidden)
    expect(await refusal(world.identity.removeMember(admin, owner.userId))).toEqual(forbidden)
  })

  it('are those of this moment, not of the token: a demoted admin decides nothing more (M1)', async () => {
    const owner = await founder(world, 'ada@now.example')
    const admin = await colleague(world, owner, 'bob@now.example', 'admin')
    const member = await colleague(world, owner, 'cid@now.example', 'member')
    await world.identity.changeRole(owner, admin.userId, 'member')
    expect(admin.role).toBe('admin')
    expect(await refusal(world.identity.changeRole(admin, member.userId, 'admin'))).toEqual(forbidden)
    expect(await refusal(world.identity.invite(admin, { email: 'x@now.example', role: 'member' }))).toEqual(forbidden)
    expect(await refusal(world.identity.createApiKey({ ...admin, role: 'owner' }, { name: 'x' }))).toEqual(forbidden)
  })

  it('that give less end the invitations their holder could not send any more, and no other (M4)', async () => {
    const owner = await founder(world, 'owner@fewer.example')
    const admin = await colleague(world, owner, 'admin@fewer.example', 'owner')
    const neighbour = await founder(world, 'owner@neighbour.example')
    const invited = async (by: UserPrincipal, name: string, role: Role) => {
      await world.identity.invite(by, { email: `${name}@away.example`, role })
      return world.codeOf(`${name}@away.example`, 'invitation')
    }
    const accept = (code: string) =>
      refusal(world.identity.acceptInvitation({ code, password, first_name: 'B', last_name: 'C' }))
    const [asOwner, asAdmin, asMember] = [
      await invited(admin, 'second', 'owner'),
      await invited(admin, 'third', 'admin'),
      await invited(admin, 'fourth', 'member'),
    ]
    const others = [await invited(owner, 'fifth', 'owner'), await invited(neighbour, 'sixth', 'owner')]
    await world.identity.changeRole(owner, admin.userId, 'admin')
    expect(await accept(asOwner)).toEqual([400, 'invalid_invitation'])
    expect(await accept(asMember)).toBe('not refused')
    await world.identity.changeRole(owner, admin.userId, 'member')
    expect(await accept(asAdmin)).toEqual([400, 'invalid_invitation'])
    for (const code of others) expect(await accept(code)).toBe('not refused')
    const revoked = (await world.events(owner.organizationId)).filter(
      ({ event_type }) => event_type === 'invitation_revoked',
    )
    expect(revoked.map(({ reason }) => reason)).toEqual(['revoked', 'revoked'])
  })

  it('say what changed, once; the same role again says nothing', async () => {
    const owner = await founder(world, 'ada@said.example')
    const member = await colleague(world, owner, 'bob@said.example', 'member')
    const before = (await world.events(owner.organizationId)).length
    const { position } = await world.identity.changeRole(owner, member.userId, 'admin')
    expect(position).toMatch(/^outbox:\d+$/)
    expect(await world.identity.changeRole(owner, member.userId, 'admin')).toEqual({ position: null })
    expect(await since(owner, before)).toMatchObject([
      {
        event_type: 'member_role_changed',
        user_id: member.userId,
        old_role: 'member',
        new_role: 'admin',
        actor: { type: 'user', id: owner.userId },
      },
    ])
  })

  it('of another tenant are as if they were not: 404, and nothing is changed', async () => {
    const a = await founder(world, 'ada@a.example')
    const b = await founder(world, 'bob@b.example')
    for (const id of [b.userId, 'x', "' or 1=1", '11111111-1111-4111-8111-111111111111']) {
      expect(await refusal(world.identity.changeRole(a, id, 'member'))).toEqual(notFound)
      expect(await refusal(world.identity.removeMember(a, id))).toEqual(notFound)
    }
    expect(await rolesOf(a)).toEqual(['ada owner'])
    expect(await rolesOf(b)).toEqual(['bob owner'])
  })
})

describe('a member who is removed', () => {
  it('is out at once, in every process: sessions, keys, invitations, login (M4)', async () => {
    const owner = await founder(world, 'ada@out.example')
    const bob = await colleague(world, owner, 'bob@out.example', 'owner')
    const elsewhere = world.another()
    const { access_token, refresh_token } = await world.identity.login(
      { email: 'bob@out.example', password },
      { ip: '::1' },
    )
    const theirs = await world.identity.createApiKey(bob, { name: 'theirs' })
    const others = await world.identity.createApiKey(owner, { name: 'others' })
    await world.identity.invite(bob, { email: 'friend@out.example', role: 'owner' })
    await world.identity.invite(owner, { email: 'kept@out.example', role: 'member' })
    const friend = await world.codeOf('friend@out.example', 'invitation')
    const before = (await world.events(owner.organizationId)).length

    await world.identity.removeMember(owner, bob.userId)

    expect(await refusal(elsewhere.authenticate(access_token))).toEqual(unauthorized)
    expect(await refusal(elsewhere.refresh({ refresh_token }))).toEqual(unauthorized)
    expect(await refusal(elsewhere.authenticateApiKey(theirs.key))).toEqual(unauthorized)
    await elsewhere.authenticateApiKey(others.key)
    expect(
      await refusal(elsewhere.acceptInvitation({ code: friend, password, first_name: 'F', last_name: 'F' })),
    ).toEqual([400, 'invalid_invitation'])
    expect((await world.identity.listInvitations(owner)).map(({ email }) => email)).toEqual(['kept@out.example'])
    expect(await refusal(enter(world, 'bob@out.example'))).toEqual([403, 'no_organization'])
    expect(await rolesOf(owner)).toEqual(['ada owner'])

    const said = await since(owner, before)
    expect(typesOf(said)).toEqual([
      'member_removed',
      'token_revoked',
      'token_revoked',
      'api_key_revoked',
      'invitation_revoked',
    ])
    expect(said[3]).toMatchObject({ key_id: theirs.id, reason: 'member_removed' })
    expect(said.every((event) => (event.actor as { id: string }).id === owner.userId)).toBe(true)
  })

  it('whose login was being judged meanwhile gets no session (L3)', async () => {
    const owner = await founder(world, 'ada@slow.example')
    const bob = await colleague(world, owner, 'bob@slow.example', 'member')
    const holder = await world.owner.connect()
    await holder.query('begin')
    await holder.query('select from auth.users where user_id = $1 for update', [bob.userId])
    const attempt = refusal(enter(world, 'bob@slow.example'))
    for (;;) {
      const { rows } = await holder.query(`select from pg_locks where not granted`)
      if (rows.length > 0) break
    }
    await holder.query('update auth.users set removed_at = now() where user_id = $1', [bob.userId])
    await holder.query('commit')
    holder.release()
    expect(await attempt).toEqual([403, 'no_organization'])
  })

  it('may be invited again, keeps their password, and is a member like any other', async () => {
    const owner = await founder(world, 'ada@back.example')
    const bob = await colleague(world, owner, 'bob@back.example', 'admin')
    await world.identity.removeMember(owner, bob.userId)
    await world.identity.invite(owner, { email: 'bob@back.example', role: 'member' })
    await world.identity.acceptInvitation({ code: await world.codeOf('bob@back.example', 'invitation') })
    const again = await enter(world, 'bob@back.example')
    expect(again).toMatchObject({ userId: bob.userId, role: 'member', organizationId: owner.organizationId })
  })
})
