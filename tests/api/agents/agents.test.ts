/** Our own people at the HTTP door: two tenants, two teams, what each sees and may do. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { operator } from '../../../api/index.ts'
import type { AnyEvent } from '../../../schemas/index.ts'
import { clientEvents, eventCodec } from '../../../schemas/index.ts'
import { keyRingOf, memoryRegistry } from '../../schemas/fixtures.ts'
import { refusal } from '../auth/world.ts'
import type { Client, Person, World } from './world.ts'
import { openWorld, statusAndCode } from './world.ts'

let world: World
let a: Client
let b: Client
let free: Client
let grace: Person
let colleague: Person
let stranger: Person
let chief: Person
let otherChief: Person

beforeAll(async () => {
  world = await openWorld()
  a = await world.client('ada@a.example')
  b = await world.client('bob@b.example')
  free = await world.client('eve@free.example')
  chief = await world.agent('Chief', 'North', 'supervisor')
  grace = await world.agent('Grace', 'North')
  colleague = await world.agent('Carl', 'North')
  otherChief = await world.agent('Other', 'South', 'supervisor')
  stranger = await world.agent('Stranger', 'South')
  await world.staff.assign(operator, { organization_id: a.organizationId, user_id: grace.userId, role: 'owner' })
  await world.staff.assign(operator, { organization_id: b.organizationId, user_id: stranger.userId, role: 'owner' })
})
afterAll(() => world[Symbol.asyncDispose]())

const seenBy = async (as: Person): Promise<string[]> => {
  const { body } = await world.get('/organizations', as)
  return (body.items as { organization_id: string }[]).map(({ organization_id }) => organization_id).sort()
}
const assignBody = (client: Client, agent: Person, role = 'owner') => ({
  organization_id: client.organizationId,
  user_id: agent.userId,
  role,
})
const newAgent = (email: string, more: object = {}) => ({ email, first_name: 'New', last_name: 'One', ...more })

describe('what is seen (AG1)', () => {
  test('an agent sees the clients assigned, a supervisor those of the team, nobody those of another', async () => {
    expect(await seenBy(grace)).toEqual([a.organizationId])
    expect(await seenBy(stranger)).toEqual([b.organizationId])
    expect(await seenBy(colleague)).toEqual([])
    expect(await seenBy(chief)).toEqual([a.organizationId])
    expect(await seenBy(otherChief)).toEqual([b.organizationId])
    expect((await world.get(`/organizations/${a.organizationId}`, grace)).status).toBe(200)
    expect((await world.get(`/organizations/${b.organizationId}`, grace)).status).toBe(404)
    expect((await world.get(`/organizations/${b.organizationId}`, chief)).status).toBe(404)
  })

  test('they log in as everybody does, and know who they are', async () => {
    const { status, body } = await world.get('/profile', chief)
    expect(status).toBe(200)
    expect(body).toMatchObject({ user_type: 'agent', role: 'supervisor', email: 'chief@house.example' })
    const home = await world.get('/profile', grace)
    expect(home.body.role).toBe('agent')
    expect(home.body.organization.tenant_id).toBe(body.organization.tenant_id)
    expect([a.tenantId, b.tenantId]).not.toContain(body.organization.tenant_id)
    expect(await world.identity.count(`auth.organizations where kind = 'house'`)).toBe(1)
  })

  test('two agents claim: who is late is told the name of who holds the review', async () => {
    const insert = `insert into lifecycle.review_queue (tenant_id, organization_id, review_id, status, subject_type,
        subject_ref, reason, risk, options, requester, requested_at, due_at, claimed_by, lease_until,
        src_topic, src_part, src_offset, changed_at)
      values ($1, $2, $3, 'claimed', 'finding', 's', 'why', 'low', '["approve"]', 'research', to_timestamp(0),
        to_timestamp(4e9), $4, to_timestamp(3e9), 'review_events', 0, 1, to_timestamp(0))`
    await world.identity.owner.query(insert, [a.tenantId, a.organizationId, 'held', grace.userId])
    const late = await world.post('/reviews/held/claim', chief)
    expect(late).toMatchObject({
      status: 409,
      body: { code: 'held_by_another', held_by: grace.userId, held_by_name: 'Grace Hill' },
    })
    expect((await world.get('/reviews/held', chief)).body).toMatchObject({ claimed_by_name: 'Grace Hill' })
    expect(statusAndCode(await world.post('/reviews/held/claim', stranger))).toBe('404 not_found')
    const owner = await world.login(a.email)
    const client = { userId: '', token: String(owner.body.access_token) }
    expect((await world.get('/reviews/held', client)).body).toMatchObject({
      claimed_by: grace.userId,
      claimed_by_name: null,
    })
    expect(statusAndCode(await world.post('/reviews/held/claim', grace))).toBe('202')
    expect(world.commands.at(-1)).toMatchObject({
      draft: { tenantId: a.tenantId, actor: { type: 'human_agent', id: grace.userId } },
    })
  })
})

describe('who decided', () => {
  test('is told by name to agents, and to nobody of the client', async () => {
    const insert = `insert into lifecycle.review_queue (tenant_id, organization_id, review_id, status, subject_type,
        subject_ref, reason, risk, options, requester, requested_at, due_at, decision, decided_by, decided_at,
        src_topic, src_part, src_offset, changed_at)
      values ($1, $2, $3, 'decided', 'finding', 's', 'why', 'low', '["approve"]', 'research', to_timestamp(0),
        to_timestamp(4e9), 'approve', $4, to_timestamp(1e9), 'review_events', 0, 2, to_timestamp(0))`
    await world.identity.owner.query(insert, [a.tenantId, a.organizationId, 'closed', grace.userId])
    await world.identity.owner.query(insert, [a.tenantId, a.organizationId, 'by-policy', 'policy'])
    expect((await world.get('/reviews/closed', chief)).body).toMatchObject({ decided_by_name: 'Grace Hill' })
    expect((await world.get('/reviews/by-policy', chief)).body).toMatchObject({
      decided_by: 'policy',
      decided_by_name: null,
    })
    const owner = await world.login(a.email)
    const client = { userId: '', token: String(owner.body.access_token) }
    expect((await world.get('/reviews/closed', client)).body).toMatchObject({ decided_by_name: null })
    expect(statusAndCode(await world.get('/reviews/closed', stranger))).toBe('404 not_found')
  })
})

describe('a supervisor (AG2)', () => {
  test('takes an agent into the team, who logs in with the password shown once', async () => {
    const made = await world.post('/agents', chief, newAgent('New.One@house.example'))
    expect(made).toMatchObject({ status: 201, body: { email: 'new.one@house.example', role: 'agent' } })
    expect(made.headers.get('cache-control')).toBe('no-store')
    const { status, body } = await world.login('new.one@house.example', String(made.body.initial_password))
    expect(status).toBe(200)
    expect(await seenBy({ userId: '', token: String(body.access_token) })).toEqual([])
    const { agents } = (await world.get('/agents', chief)).body
    const listed = (agents as { email: string; clients: number; team: string }[]).map(
      ({ email, clients, team }) => `${email} ${team} ${clients}`,
    )
    expect(listed.sort()).toEqual([
      'carl@house.example North 0',
      'chief@house.example North 0',
      'grace@house.example North 1',
      'new.one@house.example North 0',
    ])
    const again = await world.post('/agents', chief, newAgent('new.one@house.example'))
    expect(statusAndCode(again)).toBe('409 email_taken')
    expect(statusAndCode(await world.post('/agents', chief, newAgent(a.email)))).toBe('409 email_taken')
    expect(statusAndCode(await world.post('/agents', chief, newAgent('no address')))).toBe('422 invalid_email')
  })

  test('has no other team: neither its agents, nor its clients, nor a place in it', async () => {
    const { rows } = await world.identity.owner.query<{ team_id: string }>(
      `select team_id from auth.teams where name = 'South'`,
    )
    const team_id = rows[0]!.team_id
    const refused = async (body: unknown) => statusAndCode(await world.post('/assignments', chief, body))
    expect(statusAndCode(await world.post('/agents', chief, newAgent('x@house.example', { team_id })))).toBe(
      '404 not_found',
    )
    expect(await refused(assignBody(a, stranger))).toBe('404 not_found')
    expect(await refused(assignBody(b, grace))).toBe('404 not_found')
    expect(statusAndCode(await world.del(`/agents/${stranger.userId}`, chief))).toBe('404 not_found')
    const path = `/assignments/${b.organizationId}/${stranger.userId}`
    expect(statusAndCode(await world.del(path, chief))).toBe('404 not_found')
    expect(await seenBy(stranger)).toEqual([b.organizationId])
  })

  test('assigns a free client, changes the role, and ends it; each change is told once', async () => {
    const listed = (await world.get('/assignments', chief)).body
    expect(listed.unassigned).toEqual([{ organization_id: free.organizationId, company_name: free.email }])
    expect(listed.assignments).toMatchObject([{ organization_id: a.organizationId, user_id: grace.userId }])
    const first = await world.post('/assignments', chief, assignBody(free, colleague))
    expect(first).toMatchObject({ status: 200, body: { user_id: colleague.userId, role: 'owner' } })
    expect(first.headers.get('position')).toMatch(/^outbox:\d+$/)
    expect(await seenBy(colleague)).toEqual([free.organizationId])
    expect(await seenBy(chief)).toEqual([a.organizationId, free.organizationId].sort())
    const again = await world.post('/assignments', chief, assignBody(free, colleague))
    expect(again.headers.get('position')).toBeNull()
    await world.post('/assignments', chief, assignBody(free, colleague, 'observer'))
    // Taken: the other team's supervisor does not see it, and cannot have it (AG3).
    expect(statusAndCode(await world.post('/assignments', otherChief, assignBody(free, stranger)))).toBe(
      '404 not_found',
    )
    expect((await world.get('/assignments', otherChief)).body.unassigned).toEqual([])
    const path = `/assignments/${free.organizationId}/${colleague.userId}`
    expect((await world.del(path, chief)).status).toBe(204)
    expect(statusAndCode(await world.del(path, chief))).toBe('404 not_found')
    expect(await seenBy(colleague)).toEqual([])
    const told = (await world.identity.events(free.organizationId)).filter(({ event_type }) =>
      event_type.startsWith('client_'),
    )
    expect(
      told.map(({ event_type, role, human_agent_id, actor }) => [event_type, role, human_agent_id, actor]),
    ).toEqual([
      ['client_assigned', 'owner', colleague.userId, { type: 'human_agent', id: chief.userId }],
      ['client_assigned', 'observer', colleague.userId, { type: 'human_agent', id: chief.userId }],
      ['client_unassigned', undefined, colleague.userId, { type: 'human_agent', id: chief.userId }],
    ])
    await readable(told)
  })

  test('who assigns a client that somebody else is about to assign waits for that, and finds it taken (AG3)', async () => {
    const elsewhere = await world.identity.owner.connect()
    await elsewhere.query('begin')
    await elsewhere.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`assign:${free.organizationId}`])
    await elsewhere.query(
      `insert into auth.client_assignments (tenant_id, user_id, team_id, role, created_at)
       select $1, user_id, team_id, 'owner', now() from auth.agents where user_id = $2`,
      [free.tenantId, stranger.userId],
    )
    const asked = world.post('/assignments', chief, assignBody(free, colleague))
    await world.identity.owner.query('select pg_sleep(0.3)')
    await elsewhere.query('commit')
    elsewhere.release()
    expect(statusAndCode(await asked)).toBe('404 not_found')
    await world.del(`/assignments/${free.organizationId}/${stranger.userId}`, otherChief)
  })

  test('of two teams that want the same client at once one gets it (AG3)', async () => {
    const answers = await Promise.all([
      world.post('/assignments', chief, assignBody(free, colleague)),
      world.post('/assignments', otherChief, assignBody(free, stranger)),
    ])
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 404])
    const winner = answers[0].status === 200 ? ([chief, colleague] as const) : ([otherChief, stranger] as const)
    await world.del(`/assignments/${free.organizationId}/${winner[1].userId}`, winner[0])
  })
})

describe('anybody else', () => {
  const asks = [
    ['GET', '/agents'],
    ['POST', '/agents'],
    ['DELETE', `/agents/00000000-0000-4000-8000-000000000000`],
    ['GET', '/assignments'],
    ['POST', '/assignments'],
  ] as const
  const ask = (method: string, path: string, as: Person) =>
    method === 'GET'
      ? world.get(path, as)
      : method === 'DELETE'
        ? world.del(path, as)
        : world.post(path, as, path === '/agents' ? newAgent('y@house.example') : assignBody(a, grace))

  test.each(asks)('%s %s is for supervisors, and for a client it is not there', async (method, path) => {
    expect(statusAndCode(await ask(method, path, grace))).toBe('403 forbidden')
    const { body } = await world.login(a.email)
    const client = { userId: '', token: String(body.access_token) }
    expect(statusAndCode(await ask(method, path, client))).toBe('404 not_found')
  })
})

describe('an observer (AG5)', () => {
  const waiting = (review: string) =>
    world.identity.owner.query(
      `insert into lifecycle.review_queue (tenant_id, organization_id, review_id, status, subject_type, subject_ref, reason,
         risk, options, requester, requested_at, due_at, src_topic, src_part, src_offset, changed_at)
       values ($1, $2, $3, 'open', 'finding', 's', 'why', 'low', '["approve"]', 'research', to_timestamp(0),
         to_timestamp(4e9), 'review_events', 0, 1, to_timestamp(0))`,
      [b.tenantId, b.organizationId, review],
    )
  const commands = [
    ['claim', undefined],
    ['release', undefined],
    ['decision', { decision: 'approve' }],
  ] as const

  test('reads, and claims, releases and decides nothing; whoever looks after the client, or supervises, does', async () => {
    await waiting('watched')
    const watcher = await world.agent('Watcher', 'South')
    const assign = (role: 'observer' | 'support') =>
      world.staff.assign(operator, { organization_id: b.organizationId, user_id: watcher.userId, role })
    await assign('observer')
    expect(await seenBy(watcher)).toEqual([b.organizationId])
    expect((await world.get('/reviews/watched', watcher)).status).toBe(200)
    const told = world.commands.length
    for (const [command, body] of commands)
      expect(statusAndCode(await world.post(`/reviews/watched/${command}`, watcher, body))).toBe('403 forbidden')
    expect(world.commands.length).toBe(told)
    // A client that is not theirs does not exist, for an observer of another as for anybody.
    await world.identity.owner.query(`update lifecycle.review_queue set tenant_id = $1 where review_id = 'watched'`, [
      a.tenantId,
    ])
    expect(statusAndCode(await world.post('/reviews/watched/claim', watcher))).toBe('404 not_found')
    await world.identity.owner.query(`update lifecycle.review_queue set tenant_id = $1 where review_id = 'watched'`, [
      b.tenantId,
    ])
    for (const [command, body] of [commands[0], commands[2]]) {
      expect((await world.post(`/reviews/watched/${command}`, otherChief, body)).status).toBe(202)
      expect((await world.post(`/reviews/watched/${command}`, stranger, body)).status).toBe(202)
    }
    await assign('support')
    expect((await world.post('/reviews/watched/decision', watcher, { decision: 'approve' })).status).toBe(202)
  })
})

describe('the house is no organization of its agents (AG2, AG4)', () => {
  test('colleagues of another team are not listed as members, and nobody is let go that way', async () => {
    for (const as of [grace, chief, stranger]) {
      const listed = await world.get('/members', as)
      expect(statusAndCode(listed)).toBe('403 forbidden')
      expect(JSON.stringify(listed.body)).not.toContain('house.example')
      expect(statusAndCode(await world.del(`/members/${as.userId}`, as))).toBe('403 forbidden')
      expect(statusAndCode(await world.post('/organization/close', as, { confirm: 'house.invalid' }))).toBe(
        '403 forbidden',
      )
      const invited = await world.post('/invitations', as, { email: 'x@else.example', role: 'member' })
      expect(statusAndCode(invited)).toBe('403 forbidden')
    }
    expect(await seenBy(grace)).toEqual([a.organizationId])
  })
})

test('an agent that left has no login, no session and no client; what it did stays (AG4)', async () => {
  const leaver = await world.agent('Leaver', 'North')
  await world.staff.assign(operator, { organization_id: a.organizationId, user_id: leaver.userId, role: 'support' })
  expect(await seenBy(leaver)).toEqual([a.organizationId])
  expect(statusAndCode(await world.del(`/agents/${chief.userId}`, chief))).toBe('409 yourself')
  expect((await world.del(`/agents/${leaver.userId}`, chief)).status).toBe(204)
  expect((await world.get('/organizations', leaver)).status).toBe(401)
  const second = await world.staff.hire(operator, {
    ...{ email: 'temp@house.example', first_name: 'Temp', last_name: 'Hill', role: 'agent' },
    team: { name: 'North' },
  })
  await world.staff.dismiss(operator, second.user_id)
  expect(statusAndCode(await world.login('temp@house.example', second.initial_password))).toBe('401 wrong_credentials')
  expect(await refusal(world.staff.dismiss(operator, second.user_id))).toEqual([404, 'not_found'])
  const told = await world.identity.events()
  const of = told.filter((event) => event['user_id'] === leaver.userId).map(({ event_type }) => event_type)
  expect(of).toEqual(['agent_added', 'login_succeeded', 'token_revoked', 'agent_disabled'])
  expect(await world.identity.count(`auth.client_assignments where user_id = '${leaver.userId}'`)).toBe(0)
  expect(await world.identity.count(`auth.agents where user_id = '${leaver.userId}'`)).toBe(1)
})

/** What the outbox holds is what the topic takes. */
async function readable(events: readonly AnyEvent[]): Promise<void> {
  const codec = await eventCodec(clientEvents, { registry: memoryRegistry(), keyRing: keyRingOf(free.tenantId) })
  const key = Buffer.from(`${free.tenantId}|${free.organizationId}`)
  for (const event of events) expect(codec.serialize(event as never, key).length).toBeGreaterThan(0)
}
