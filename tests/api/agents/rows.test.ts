/** The same straight in SQL, as the role that reads for others: policies alone decide (AG1). */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { operator } from '../../../api/index.ts'
import { openPool, readOnly } from '../../../connectors/postgres/index.ts'
import type { Viewer } from '../../../connectors/postgres/index.ts'
import type { Client, Person, World } from './world.ts'
import { openWorld } from './world.ts'

let world: World
let a: Client
let b: Client
let grace: Person
let stranger: Person
let chief: Person

beforeAll(async () => {
  world = await openWorld()
  a = await world.client('ada@a.example')
  b = await world.client('bob@b.example')
  chief = await world.agent('Chief', 'North', 'supervisor')
  grace = await world.agent('Grace', 'North')
  stranger = await world.agent('Stranger', 'South')
  await world.staff.assign(operator, { organization_id: a.organizationId, user_id: grace.userId, role: 'owner' })
  await world.staff.assign(operator, { organization_id: b.organizationId, user_id: stranger.userId, role: 'owner' })
})
afterAll(() => world[Symbol.asyncDispose]())

const agent = ({ userId }: Person): Viewer => ({ tenantId: null, userId, userType: 'agent' })
const select = (viewer: Viewer, what: string, from: string): Promise<unknown[]> =>
  readOnly(world.api, viewer, async (client) =>
    (await client.query<{ what: unknown }>(`select ${what} as what from ${from} order by 1`)).rows.map(
      ({ what: value }) => value,
    ),
  )

test('rows of clients: of those assigned, of the team, and of nobody else', async () => {
  const tenants = (viewer: Viewer) => select(viewer, 'tenant_id', 'lifecycle.organizations')
  expect(await tenants(agent(grace))).toEqual([a.tenantId])
  expect(await tenants(agent(stranger))).toEqual([b.tenantId])
  expect(await tenants(agent(chief))).toEqual([a.tenantId])
  // Another's id, or another's kind, shows what they show and no more.
  expect(await tenants({ tenantId: b.tenantId, userId: grace.userId, userType: 'client' })).toEqual([b.tenantId])
  expect(await tenants({ tenantId: b.tenantId, userId: grace.userId, userType: 'agent' })).toEqual([a.tenantId])
})

test('assignments: one’s own, and those of the team one supervises', async () => {
  const assigned = (viewer: Viewer) => select(viewer, 'user_id', 'auth.client_assignments')
  expect(await assigned(agent(grace))).toEqual([grace.userId])
  expect(await assigned(agent(chief))).toEqual([grace.userId])
  expect(await assigned(agent(stranger))).toEqual([stranger.userId])
  expect(await assigned({ tenantId: a.tenantId, userId: grace.userId, userType: 'client' })).toEqual([])
})

test('names of agents: for agents alone, and nothing beside the name', async () => {
  expect(await select(agent(grace), 'display_name', 'auth.agents')).toEqual([
    'Chief Hill',
    'Grace Hill',
    'Stranger Hill',
  ])
  expect(
    await select({ tenantId: a.tenantId, userId: grace.userId, userType: 'client' }, 'display_name', 'auth.agents'),
  ).toEqual([])
  for (const [what, from] of [
    ['team_id', 'auth.agents'],
    ['name', 'auth.teams'],
    ['email', 'auth.users'],
  ] as const)
    await expect(select(agent(chief), what, from)).rejects.toMatchObject({ code: '42501' })
})

test('nothing of it is written by who reads', async () => {
  for (const statement of [
    `insert into auth.client_assignments (tenant_id, user_id, team_id, role, created_at) values (null, null, null, 'owner', now())`,
    'delete from auth.client_assignments',
    `update auth.agents set display_name = 'x'`,
    'delete from auth.team_supervisors',
  ])
    await expect(world.api.query(statement), statement).rejects.toMatchObject({ code: '42501' })
  const auth = openPool(world.identity.urls.auth, { applicationName: 'test', max: 1 })
  await expect(auth.query('delete from auth.agents')).rejects.toMatchObject({ code: '42501' })
  await auth.end()
})

test('SQL keeps who is who: an agent has an agent’s role, a client’s user a client’s, and there is one house', async () => {
  const { owner } = world.identity
  await expect(owner.query(`update auth.users set role = 'owner' where user_id = $1`, [grace.userId])).rejects.toThrow(
    'users_role_of_type',
  )
  await expect(owner.query(`update auth.users set role = 'agent' where tenant_id = $1`, [a.tenantId])).rejects.toThrow(
    'users_role_of_type',
  )
  await expect(
    owner.query(`update auth.organizations set kind = 'house' where tenant_id = $1`, [a.tenantId]),
  ).rejects.toThrow('organizations_one_house')
  await expect(
    owner.query(`insert into auth.client_assignments values ($1, $1, $1, 'owner', now())`, [a.tenantId]),
  ).rejects.toThrow('foreign key')
})
