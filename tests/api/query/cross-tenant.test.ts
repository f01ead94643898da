import { expect, test } from 'vitest'
import { serve } from '../http/world.ts'
import { endpoint } from '../../../api/index.ts'
import { organizationOf, tenantA, tenantB, tokenOf } from '../http/world.ts'
import { crossTenantFindings, crossTenantRequests } from '../http/cross-tenant.ts'
import { documentOf, fill, openWorld, ownerA, ownerB } from './world.ts'

const canary = 'canary-b-8b2e6a40'
const idsOfB = {
  tenant_id: tenantB,
  organization_id: organizationOf(tenantB),
  user_id: ownerB.userId,
  review_id: `review-${canary}`,
  document_id: documentOf(tenantB),
  demo_id: `demo-${canary}`,
}

test("row 41: at least 500 requests with ids of tenant B under A's token show nothing, and 404 by path", async () => {
  await using world = await openWorld()
  await fill(world, tenantA, 'own')
  await fill(world, tenantB, canary)
  // An id that holds the canary is echoed by no answer either.
  const options = { url: world.server.url, token: tokenOf(ownerA), canaries: [canary] }
  const { ran, findings } = await crossTenantFindings(crossTenantRequests(world.endpoints, idsOfB), options)
  expect(findings).toEqual([])
  expect(ran).toBeGreaterThanOrEqual(500)
}, 120_000)

test('the check finds an endpoint that shows what it should not', async () => {
  const leaking = endpoint({
    method: 'get',
    path: '/leaks/:id',
    summary: 'Tells 403 from 404, and more',
    tag: 'test',
    auth: 'bearer',
    response: [],
    handler: async ({ params }) =>
      params.id === organizationOf(tenantB) ? { status: 403, body: { owner: canary } } : { status: 404, body: {} },
  })
  await using server = await serve([leaking])
  const { findings } = await crossTenantFindings(crossTenantRequests([leaking], idsOfB), {
    url: server.url,
    token: tokenOf(ownerA),
    canaries: [canary],
  })
  expect(findings.some((text) => text.includes('shows'))).toBe(true)
  expect(findings.some((text) => text.includes('expected 404'))).toBe(true)
})
