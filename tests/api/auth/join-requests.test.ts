import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { UserPrincipal } from '../../../api/http/endpoint.ts'
import { colleague, enter, founder } from './people.ts'
import { application, openWorld, password, refusal, typesOf } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => void (world = await openWorld()))
afterAll(() => world[Symbol.asyncDispose]())

/** Signs up at a host that has an organization, and verifies. */
async function ask(email: string): Promise<void> {
  await world.identity.signup(application(email))
  expect(await refusal(world.identity.verifyEmail({ email, code: await world.codeOf(email) }))).toEqual([
    409,
    'organization_exists',
  ])
}

const waiting = async (owner: UserPrincipal) =>
  (await world.identity.listJoinRequests(owner)).map(({ email, id }) => ({ email, id }))
const decide = (owner: UserPrincipal, id: string, decision: 'approve' | 'reject', role?: 'owner' | 'admin') =>
  world.identity.decideJoinRequest(owner, id, role === undefined ? { decision } : { decision, role })

describe('catalogue 5.0, behaviour 5: the second person of a verified host (V4)', () => {
  it('asks the owners to be let in; one approves, and they are a member of the one organization', async () => {
    const ada = await founder(world, 'ada@shared.example')
    const cid = await colleague(world, ada, 'cid@shared.example', 'owner')
    const before = (await world.events(ada.organizationId)).length
    await ask('bob@shared.example')
    const asked = (await world.events(ada.organizationId)).slice(before)
    expect(typesOf(asked)).toEqual(['join_requested', 'message_requested', 'message_requested'])
    expect(new Set(asked.slice(1).map(({ to }) => to))).toEqual(new Set(['ada@shared.example', 'cid@shared.example']))
    expect(asked[1]).toMatchObject({
      template: 'join_requested',
      tenant_id: ada.tenantId,
      data: { email: 'bob@shared.example', host: 'shared.example' },
    })
    expect(await refusal(enter(world, 'bob@shared.example'))).toEqual([403, 'no_organization'])

    const [request] = await waiting(cid)
    expect(request?.email).toBe('bob@shared.example')
    const { status, position } = await decide(ada, request!.id, 'approve')
    expect([status, /^outbox:\d+$/.test(position!)]).toEqual(['approved', true])
    const bob = await enter(world, 'bob@shared.example')
    expect(bob).toMatchObject({ role: 'member', tenantId: ada.tenantId, organizationId: ada.organizationId })
    const said = (await world.events(ada.organizationId)).slice(before + 3, -1)
    expect(typesOf(said)).toEqual(['join_approved', 'member_added', 'message_requested'])
    expect(said[1]).toMatchObject({ user_id: bob.userId, role: 'member', actor: { id: ada.userId } })
    expect(said[2]).toMatchObject({ template: 'join_approved', to: 'bob@shared.example' })
    expect(await waiting(ada)).toEqual([])
    // Behaviour 3 still: one user, one organization, and the code repeats its answer, which is now theirs.
    expect(await world.identity.verifyEmail({ email: 'bob@shared.example', code: await world.codeOf('bob@shared.example') })).toEqual({ is: 'verified', organizationId: ada.organizationId, position: null }) // prettier-ignore
    expect(await world.count(`auth.organizations where email_host = 'shared.example' and status = 'active'`)).toBe(1)
  })

  it('who is rejected stays outside, and is told', async () => {
    const ada = await founder(world, 'ada@closed.example')
    await ask('bob@closed.example')
    const [request] = await waiting(ada)
    const before = (await world.events()).length
    expect((await decide(ada, request!.id, 'reject')).status).toBe('rejected')
    expect(typesOf((await world.events()).slice(before))).toEqual(['join_rejected', 'message_requested'])
    expect(await refusal(enter(world, 'bob@closed.example'))).toEqual([403, 'no_organization'])
    expect(await waiting(ada)).toEqual([])
  })

  it('the first decision counts; the same again changes nothing, the other is refused', async () => {
    const ada = await founder(world, 'ada@first.example')
    await ask('bob@first.example')
    const [request] = await waiting(ada)
    const outcomes = await Promise.allSettled([
      ...Array.from({ length: 5 }, () => decide(ada, request!.id, 'approve', 'admin')),
      ...Array.from({ length: 5 }, () => decide(ada, request!.id, 'reject')),
    ])
    const done = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    expect(new Set(done.map(({ status }) => status)).size).toBe(1)
    expect(done.filter(({ position }) => position !== null)).toHaveLength(1)
    expect(await refusal(decide(ada, request!.id, done[0]!.status === 'approved' ? 'reject' : 'approve'))).toEqual([
      409,
      'already_decided',
    ])
  })

  it('is decided by owners of that organization alone', async () => {
    const ada = await founder(world, 'ada@own.example')
    const eve = await founder(world, 'eve@foreign.example')
    const admin = await colleague(world, ada, 'adm@own.example', 'admin')
    await ask('bob@own.example')
    const [request] = await waiting(ada)
    expect(await waiting(eve)).toEqual([])
    for (const id of [request!.id, 'x', "' or 1=1", '11111111-1111-4111-8111-111111111111'])
      expect(await refusal(decide(eve, id, 'approve'))).toEqual([404, 'not_found'])
    expect(await refusal(decide(admin, request!.id, 'approve'))).toEqual([403, 'forbidden'])
    expect(await refusal(world.identity.listJoinRequests(admin))).toEqual([403, 'forbidden'])
    expect(await waiting(ada)).toHaveLength(1)
  })

  it('who comes in by an invitation withdraws their request; both at once make one member', async () => {
    for (let round = 0; round < 5; round++) {
      const ada = await founder(world, `ada@two${round}.example`)
      const zoe = await founder(world, `zoe@other${round}.example`)
      const email = `bob@two${round}.example`
      await ask(email)
      const [request] = await waiting(ada)
      await world.identity.invite(zoe, { email, role: 'member' })
      const code = await world.codeOf(email, 'invitation')
      const outcomes = await Promise.all([
        refusal(decide(ada, request!.id, 'approve')),
        refusal(world.another().acceptInvitation({ code })),
      ])
      expect(outcomes.filter((outcome) => outcome === 'not refused')).toHaveLength(1)
      expect(await waiting(ada)).toEqual([])
      const bob = await enter(world, email, password)
      const added = [...(await world.events(ada.organizationId)), ...(await world.events(zoe.organizationId))].filter(
        ({ event_type, user_id }) => event_type === 'member_added' && user_id === bob.userId,
      )
      expect(added.map(({ organization_id }) => organization_id)).toEqual([bob.organizationId])
    }
  })
})
