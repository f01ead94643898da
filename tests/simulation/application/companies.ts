/** The companies of a seed: who signs up, when, and the marks by which their data is known wherever it turns up. */

import type { Draw } from './draw.ts'

export interface Tenant {
  readonly tenantId: string
  /** Stands in what may be read by anyone who may read the tenant's topics: company names, findings. */
  readonly canary: string
  /** Stands in personal fields only. */
  readonly secret: string
}

export interface Company {
  readonly tenant: Tenant
  readonly organizationId: string
  readonly userId: string
  readonly name: string
  readonly domain: string
  readonly email: string
  readonly firstName: string
  /** Ms after the start; null: never verifies. */
  readonly signsUpAt: number
  readonly verifiesAt: number | null
  /** Ms after the start at which the client asks for research itself; null: never. */
  readonly asksAt: number | null
  /** Little is known about it, so that people have to decide. */
  readonly obscure: boolean
}

export interface CompaniesWanted {
  readonly tenants: number
  readonly companies: number
  /** Sign-ups are spread over this time, in ms. */
  readonly withinMs: number
}

export function companiesOf(draw: Draw, wanted: CompaniesWanted): readonly Company[] {
  const tenants = Array.from({ length: wanted.tenants }, (_, n): Tenant => {
    return { tenantId: draw.uuid('tenant', n), canary: draw.canary('tenant', n), secret: draw.canary('secret', n) }
  })
  return Array.from({ length: wanted.companies }, (_, n) => companyOf(draw, tenants[n % tenants.length]!, n, wanted))
}

function companyOf(draw: Draw, tenant: Tenant, n: number, { withinMs }: CompaniesWanted): Company {
  const signsUpAt = draw.between(0, withinMs, 'signs up', n)
  const verifiesAt = draw.chance(0.9, 'verifies', n) ? signsUpAt + draw.between(200, 5_000, 'verifies at', n) : null
  const asks = verifiesAt !== null && draw.chance(0.3, 'asks', n)
  const domain = `${tenant.canary}-${n}.example`
  return {
    tenant,
    organizationId: draw.uuid('organization', n),
    userId: draw.uuid('user', n),
    name: `Company ${n} ${tenant.canary}`,
    domain,
    email: `${tenant.secret}@${domain}`,
    firstName: `Ada ${tenant.secret}`,
    signsUpAt,
    verifiesAt,
    asksAt: asks ? verifiesAt + draw.between(0, 30_000, 'asks at', n) : null,
    obscure: draw.chance(0.35, 'obscure', n),
  }
}
