import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { colleague, enter, founder } from './people.ts'
import { application, openWorld, password, refusal, typesOf } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => void (world = await openWorld()))
afterAll(() => world[Symbol.asyncDispose]())

const unauthorized = [401, 'unauthorized']
const forbidden = [403, 'forbidden']

describe('catalogue 5.0, behaviour 8, as far as SQL decides it: an organization is closed', () => {
  it('for everyone at once, in every process, and says so in one event; the neighbour stays (D1)', async () => {
    const ada = await founder(world, 'ada@gone.example')
    const bob = await colleague(world, ada, 'bob@gone.example', 'admin')
    const eve = await founder(world, 'eve@stays.example')
    const keys = await Promise.all([ada, eve].map((of) => world.identity.createApiKey(of, { name: 'x' })))
    const session = await world.identity.login({ email: 'bob@gone.example', password }, { ip: '::1' })
    const kept = await world.identity.login({ email: 'eve@stays.example', password }, { ip: '::1' })
    await world.identity.invite(ada, { email: 'cid@x.example', role: 'owner' })
    const code = await world.codeOf('cid@x.example', 'invitation')
    await world.identity.signup(application('dan@gone.example'))
    await refusal(world.identity.verifyEmail({ email: 'dan@gone.example', code: await world.codeOf('dan@gone.example') })) // prettier-ignore
    const before = (await world.events()).length

    await world.identity.closeOrganization(ada, { confirm: 'Gone.example' })

    const elsewhere = world.another()
    expect(await refusal(elsewhere.authenticate(session.access_token))).toEqual(unauthorized)
    expect(await refusal(elsewhere.refresh({ refresh_token: session.refresh_token }))).toEqual(unauthorized)
    expect(await refusal(elsewhere.authenticateApiKey(keys[0]!.key))).toEqual(unauthorized)
    expect(await refusal(enter(world, 'ada@gone.example'))).toEqual([403, 'no_organization'])
    const accept = elsewhere.acceptInvitation({ code, password, first_name: 'C', last_name: 'D' })
    expect(await refusal(accept)).toEqual([400, 'invalid_invitation'])
    for (const by of [ada, bob]) expect(await refusal(world.identity.invite(by, { email: 'x@x.example', role: 'member' }))).toEqual(unauthorized) // prettier-ignore
    expect(await world.count(`auth.codes where recipient = 'cid@x.example'`)).toBe(0)
    expect(await world.count(`auth.join_requests where status = 'pending'`)).toBe(0)

    await elsewhere.authenticate(kept.access_token)
    await elsewhere.authenticateApiKey(keys[1]!.key)
    const said = (await world.events()).slice(before)
    expect(said.filter(({ event_type }) => event_type !== 'login_failed')).toMatchObject([
      {
        event_type: 'organization_deleted',
        mode: 'close',
        tenant_id: ada.tenantId,
        organization_id: ada.organizationId,
        actor: { id: ada.userId },
      },
    ])
  })

  it('by an owner who names its host, and by nobody else', async () => {
    const ada = await founder(world, 'ada@confirm.example')
    const bob = await colleague(world, ada, 'bob@confirm.example', 'admin')
    expect(await refusal(world.identity.closeOrganization(bob, { confirm: 'confirm.example' }))).toEqual(forbidden)
    expect(await refusal(world.identity.closeOrganization(ada, { confirm: 'other.example' }))).toEqual([
      422,
      'confirmation_differs',
    ])
    await enter(world, 'ada@confirm.example')
  })

  it('and its people are free: one is invited elsewhere, another founds a new one at the host (D2)', async () => {
    const ada = await founder(world, 'ada@free.example')
    const zoe = await founder(world, 'zoe@other.example')
    await world.identity.closeOrganization(ada, { confirm: 'free.example' })
    await world.identity.invite(zoe, { email: 'ada@free.example', role: 'member' })
    await world.identity.acceptInvitation({ code: await world.codeOf('ada@free.example', 'invitation') })
    expect(await enter(world, 'ada@free.example')).toMatchObject({ tenantId: zoe.tenantId, role: 'member' })
    const bob = await founder(world, 'bob@free.example')
    expect(bob.role).toBe('owner')
    expect(bob.organizationId).not.toBe(ada.organizationId)
  })
})

describe('who belongs nowhere any more founds an organization as if new (S3)', () => {
  const again = 'another horse battery'
  const signUp = (email: string) => world.identity.signup({ ...application(email), password: again })
  const verify = async (email: string) => world.identity.verifyEmail({ email, code: await world.codeOf(email) })

  it('after theirs was closed: the code first, then another tenant, and nothing of the one before', async () => {
    const ada = await founder(world, 'ada@phoenix.example')
    await world.identity.createApiKey(ada, { name: 'before' })
    await world.identity.closeOrganization(ada, { confirm: 'phoenix.example' })
    expect(await signUp('ada@phoenix.example')).toEqual({ userId: ada.userId })
    // Whoever typed the address has nothing before the mailbox has answered.
    expect(await refusal(enter(world, 'ada@phoenix.example', again))).toEqual([403, 'email_not_verified'])
    const { organizationId } = await verify('ada@phoenix.example')
    const anew = await enter(world, 'ada@phoenix.example', again)
    expect(anew).toMatchObject({ userId: ada.userId, role: 'owner', organizationId })
    expect([anew.tenantId, anew.organizationId]).not.toContain(ada.tenantId)
    expect(anew.tenantId).not.toBe(ada.tenantId)
    expect(anew.organizationId).not.toBe(ada.organizationId)
    expect(await world.identity.listApiKeys(anew)).toEqual([])
    expect((await world.identity.listMembers(anew)).map(({ email }) => email)).toEqual(['ada@phoenix.example'])
    expect(typesOf(await world.events(organizationId))).toEqual(
      expect.arrayContaining(['signup_requested', 'email_verified', 'organization_created', 'member_added']),
    )
    expect(await world.count(`auth.data_keys where tenant_id = '${anew.tenantId}'`)).toBe(1)
  })

  it('after they were removed from another company, where nobody has their host', async () => {
    const zoe = await founder(world, 'zoe@left.example')
    const guest = await colleague(world, zoe, 'guest@lonely.example', 'member')
    await world.identity.removeMember(zoe, guest.userId)
    await signUp('guest@lonely.example')
    await verify('guest@lonely.example')
    const anew = await enter(world, 'guest@lonely.example', again)
    expect(anew.role).toBe('owner')
    expect(anew.tenantId).not.toBe(zoe.tenantId)
    expect((await world.identity.listMembers(zoe)).map(({ email }) => email)).toEqual(['zoe@left.example'])
  })

  it('and nobody else: a member, one who waits to be let in, one whose host has an organization, an agent', async () => {
    const eve = await founder(world, 'eve@taken.example')
    const removed = await colleague(world, eve, 'removed@taken.example', 'admin')
    await colleague(world, eve, 'member@taken.example', 'member')
    // Nobody has this host, but its person belongs to an organization.
    await colleague(world, eve, 'guest@nobodys.example', 'member')
    await world.identity.removeMember(eve, removed.userId)
    await world.identity.signup(application('waits@taken.example'))
    await refusal(verify('waits@taken.example'))
    const before = await world.count('auth.outbox')
    for (const name of ['eve', 'removed', 'member', 'waits']) await signUp(`${name}@taken.example`)
    await signUp('guest@nobodys.example')
    await world.owner.query(
      `update auth.users set user_type = 'agent', role = 'agent' where email = 'removed@taken.example'`,
    )
    await world.owner.query(
      `update auth.organizations set status = 'deleted', deleted_at = now() where email_host = 'taken.example'`,
    )
    await signUp('removed@taken.example')
    expect(await world.count('auth.outbox')).toBe(before)
    await world.owner.query(
      `update auth.organizations set status = 'active', deleted_at = null where organization_id = '${eve.organizationId}'`,
    )
    await enter(world, 'eve@taken.example')
    expect(await refusal(enter(world, 'eve@taken.example', again))).toEqual([401, 'wrong_credentials'])
  })

  it('gets no more mails than any other address', async () => {
    const cy = await founder(world, 'cy@flood.example')
    await world.identity.closeOrganization(cy, { confirm: 'flood.example' })
    const before = (await world.events()).length
    for (let n = 0; n < 4; n++) await signUp('cy@flood.example')
    const told = (await world.events()).slice(before)
    expect(told.filter(({ event_type }) => event_type === 'verification_code_issued')).toHaveLength(1)
  })
})
