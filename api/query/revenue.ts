/** Recurring revenue by month: movements and retention of the customers one sees, with what the figures mean. */

import { z } from 'zod'
import type { PoolClient } from '../../connectors/postgres/index.ts'
import type { CustomerMonth } from '../../sinks/index.ts'
import { revenueDefinitions, revenueMonth } from '../../sinks/index.ts'
import type { Endpoint } from '../http/endpoint.ts'
import { endpoint } from '../http/endpoint.ts'
import { readQuery } from './parameters.ts'
import type { Reader } from './reader.ts'
import { list404 } from './responses.ts'

const money = z.int().meta({ description: 'Minor units of the currency' })
const ratio = z.number().nullable().meta({ description: 'Null where there is nothing to divide by' })
const monthName = z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, 'expected YYYY-MM')

const month = z.object({
  month: monthName.meta({ example: '2026-01' }),
  starting: money,
  new: money,
  reactivation: money,
  expansion: money,
  contraction: money,
  churn: money,
  ending: money,
  involuntary_churn: money,
  customers_starting: z.int(),
  customers_lost: z.int(),
  nrr: ratio,
  grr: ratio,
  logo_churn: ratio,
  quick_ratio: ratio,
})

const answer = z.object({
  months: z.array(z.object({ currency: z.string().meta({ example: 'USD' }), months: z.array(month) })),
  definitions: z.record(z.string(), z.string()),
})

const monthsAtMost = 36
const revenueQuery = readQuery.extend({
  from: monthName.optional().meta({ description: 'First month, UTC; eleven before the last unless told' }),
  to: monthName.optional().meta({ description: 'Last month, UTC; the running one unless told' }),
})

/** `time` says which month is the running one, in ms. */
export const revenueEndpoints = (reader: Reader, time: () => number): readonly Endpoint[] => [
  endpoint({
    method: 'get',
    path: '/revenue/mrr',
    summary: 'Monthly recurring revenue: movements, retention and churn by month and currency',
    tag: 'billing',
    auth: 'bearer',
    query: revenueQuery,
    response: [{ status: 200, description: 'Months, oldest first, and definitions', schema: answer }, ...list404],
    handler: async ({ principal, query }) => {
      const range = rangeOf(query, time())
      const months = await reader.read(principal, query, ['mrr'], (client) => revenueOf(client, range))
      return { status: 200, body: { months, definitions: revenueDefinitions } }
    },
  }),
]

interface Range {
  /** The first instant of each month, ISO 8601. */
  readonly months: readonly string[]
}

/** At most 36 months; a range that is none is empty. */
function rangeOf(query: { readonly from?: string | undefined; readonly to?: string | undefined }, now: number): Range {
  const last = monthNumber(query.to ?? new Date(now).toISOString().slice(0, 7))
  const first = query.from === undefined ? last - 11 : monthNumber(query.from)
  const count = Math.max(0, Math.min(monthsAtMost, last - first + 1))
  return { months: Array.from({ length: count }, (_, n) => startOf(last - count + 1 + n)) }
}

const monthNumber = (name: string): number => Number(name.slice(0, 4)) * 12 + Number(name.slice(5)) - 1
const startOf = (number: number): string => new Date(Date.UTC(Math.floor(number / 12), number % 12, 1)).toISOString()

interface CustomerRow {
  readonly month: Date
  readonly currency: string
  readonly starting: string
  readonly ending: string
  readonly known_before: boolean
  readonly involuntary: boolean
}

/**
 * Each customer at both ends of each month. A subscription counts what its last point before an instant says; of points of
 * one instant an end is the last one.
 */
const customerMonths = `
  with points as (
    select tenant_id, organization_id, subscription_id, currency, mrr, cause, effective_at,
      lead(effective_at, 1, 'infinity') over (
        partition by tenant_id, subscription_id
        order by effective_at, (mrr = 0), (cause <> 'activated'), event_id) as until
    from lifecycle.mrr_points
  ), months as (
    select month, month + interval '1 month' as after
    from unnest($1::timestamptz[]) as month
  )
  select month, currency,
    coalesce(sum(mrr) filter (where effective_at < month and until >= month), 0)::bigint as starting,
    coalesce(sum(mrr) filter (where effective_at < after and until >= after), 0)::bigint as ending,
    coalesce(bool_or(mrr > 0) filter (where effective_at < month), false) as known_before,
    coalesce(bool_or(cause in ('payment_failed', 'unpaid', 'never_paid'))
      filter (where mrr = 0 and effective_at < after and until >= after and effective_at >= month), false) as involuntary
  from months join points on effective_at < after
  group by month, currency, tenant_id, organization_id`

async function revenueOf(client: PoolClient, { months }: Range): Promise<unknown> {
  await client.query("set local timezone to 'UTC'")
  const { rows } = await client.query<CustomerRow>(customerMonths, [[...months]])
  const currencies = [...new Set(rows.map(({ currency }) => currency))].sort()
  return currencies.map((currency) => ({
    currency,
    months: months.map((start) => {
      const own = rows.filter((row) => row.currency === currency && row.month.toISOString() === start)
      return { month: start.slice(0, 7), ...revenueMonth(own.map(customerOf)) }
    }),
  }))
}

/** int8 arrives as text, exact; ours are safe integers. */
const customerOf = (row: CustomerRow): CustomerMonth => ({
  starting: Number(row.starting),
  ending: Number(row.ending),
  knownBefore: row.known_before,
  involuntary: row.involuntary,
})
