import { afterAll, beforeAll, expect, test } from 'vitest'
import { identityEndpoints } from '../../../api/index.ts'
import { crossTenantFindings, crossTenantRequests } from '../http/cross-tenant.ts'
import { serve } from '../http/world.ts'
import { founder } from './people.ts'
import { application, openWorld, password, refusal } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => void (world = await openWorld({ apiKeysPerOrganization: 10_000 })))
afterAll(() => world[Symbol.asyncDispose]())

test("row 41: ids of tenant B under A's token show nothing, change nothing, and are 404 by path, at every door of identity", async () => {
  await founder(world, 'ada@a.example')
  const { access_token: token } = await world.identity.login({ email: 'ada@a.example', password }, { ip: '::1' })
  const b = await founder(world, 'canary@b.example')
  const { invitation } = await world.identity.invite(b, { email: 'invited@canary.example', role: 'member' })
  const { id: key_id } = await world.identity.createApiKey(b, { name: 'canary' })
  await world.identity.signup(application('asks@b.example'))
  const verify = { email: 'asks@b.example', code: await world.codeOf('asks@b.example') }
  expect(await refusal(world.identity.verifyEmail(verify))).toEqual([409, 'organization_exists'])
  const [asked] = await world.identity.listJoinRequests(b)

  const stateOfB = async () => [
    await world.identity.listMembers(b),
    await world.identity.listInvitations(b),
    await world.identity.listApiKeys(b),
    await world.identity.listJoinRequests(b),
    (await world.events(b.organizationId)).length,
  ]
  const before = await stateOfB()
  const endpoints = identityEndpoints(world.identity)
  await using server = await serve(endpoints, {}, { authenticate: (given) => world.identity.authenticate(given) })
  const ids = {
    ...{ tenant_id: b.tenantId, organization_id: b.organizationId, user_id: b.userId },
    ...{ invitation_id: invitation.id, key_id, join_request_id: asked!.id },
  }
  const { ran, findings } = await crossTenantFindings(crossTenantRequests(endpoints, ids), {
    url: server.url,
    token,
    canaries: ['canary', 'asks@b.example'],
  })
  expect(findings).toEqual([])
  expect(ran).toBeGreaterThan(1_000)
  expect(await stateOfB()).toEqual(before)
}, 120_000)
