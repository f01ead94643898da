import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { colleague, enter, founder } from './people.ts'
import { application, openWorld, password, refusal } from './world.ts'
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
