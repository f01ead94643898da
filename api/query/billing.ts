/** Subscriptions, invoices and the collection of unpaid ones. Amounts in minor units of their currency. */

import { z } from 'zod'
import type { PoolClient } from '../../connectors/postgres/index.ts'
import type { Endpoint } from '../http/endpoint.ts'
import { endpoint } from '../http/endpoint.ts'
import type { Place } from './cursor.ts'
import { listQuery, pageOf } from './parameters.ts'
import type { Reader } from './reader.ts'
import { visibleOrganization } from './reader.ts'
import { instant, list404, maybeInstant } from './responses.ts'

const money = z.int().meta({ description: 'Minor units' })

const subscription = z.object({
  subscription_id: z.string(),
  organization_id: z.uuid(),
  document_id: z.string().nullable(),
  plan: z.string().meta({ example: 'growth' }),
  status: z.enum(['created', 'active', 'unpaid', 'canceled']),
  currency: z.string().nullable(),
  mrr: money.nullable(),
  period_start: maybeInstant,
  period_end: maybeInstant,
  created_at: instant,
  activated_at: maybeInstant,
  ended_at: maybeInstant,
  end_reason: z.string().nullable(),
})

const invoice = z.object({
  invoice_id: z.string(),
  organization_id: z.uuid(),
  subscription_id: z.string().nullable(),
  status: z.enum(['open', 'paid', 'void', 'uncollectible']),
  currency: z.string(),
  amount_due: money,
  amount_paid: money.nullable(),
  amount_refunded: money,
  due_at: instant,
  issued_at: instant,
  ended_at: maybeInstant,
  attempt_count: z.int().nullable(),
  next_attempt_at: maybeInstant,
  decline_code: z.string().nullable(),
  hard_decline: z.boolean().nullable(),
})

const dunning = z.object({
  invoice_id: z.string(),
  organization_id: z.uuid(),
  stage: z.string().meta({ example: 'grace' }),
  day: z.int(),
  began_at: instant,
  stage_at: instant,
  ended_at: maybeInstant,
})

const ofOrganization = listQuery.extend({ organization_id: z.uuid().optional() })

/** A list of one table's rows, newest first. */
interface Listed {
  readonly path: string
  readonly summary: string
  readonly description: string
  readonly item: z.ZodType
  readonly statuses: readonly [string, ...string[]]
  readonly statusColumn: string
  readonly projections: readonly string[]
  readonly columns: string
  readonly from: string
  readonly time: string
  readonly id: string
  readonly longs: readonly string[]
}

const lists: readonly Listed[] = [
  {
    path: 'subscriptions',
    summary: 'Subscriptions, newest first',
    description: 'A page of subscriptions',
    item: subscription,
    statuses: ['created', 'active', 'unpaid', 'canceled'],
    statusColumn: 'status',
    projections: ['subscriptions'],
    columns: `subscription_id, organization_id, document_id, plan, status, currency, mrr, period_start, period_end,
      created_at, activated_at, ended_at, end_reason`,
    from: 'lifecycle.subscriptions t',
    time: 'created_at',
    id: 'subscription_id',
    longs: ['mrr'],
  },
  {
    path: 'invoices',
    summary: 'Invoices, newest first',
    description: 'A page of invoices',
    item: invoice,
    statuses: ['open', 'paid', 'void', 'uncollectible'],
    statusColumn: 'status',
    projections: ['invoices'],
    columns: `invoice_id, organization_id, subscription_id, status, currency, amount_due, amount_paid,
      (select coalesce(sum(r.amount), 0)::bigint from lifecycle.refunds r
        where r.tenant_id = t.tenant_id and r.invoice_id = t.invoice_id) as amount_refunded,
      due_at, issued_at, ended_at, attempt_count, next_attempt_at, decline_code, hard_decline`,
    from: 'lifecycle.invoices t',
    time: 'issued_at',
    id: 'invoice_id',
    longs: ['amount_due', 'amount_paid', 'amount_refunded'],
  },
  {
    path: 'dunning',
    summary: 'How far the collection of unpaid invoices has come, newest first',
    description: 'A page of invoices whose payment has failed',
    item: dunning,
    statuses: [
      'grace',
      'reminder_1',
      'reminder_2',
      'final_notice',
      'restricted',
      'suspended',
      'canceled',
      'recovered',
      'none',
    ],
    statusColumn: 'stage',
    projections: ['dunning'],
    columns: 'invoice_id, organization_id, stage, day, began_at, stage_at, ended_at',
    from: 'lifecycle.dunning t',
    time: 'began_at',
    id: 'invoice_id',
    longs: [],
  },
]

export const billingEndpoints = (reader: Reader): readonly Endpoint[] => lists.map((listed) => listOf(reader, listed))

type Row = Readonly<Record<string, unknown>>

function listOf(reader: Reader, listed: Listed): Endpoint {
  const { statusColumn, statuses } = listed
  // The filter is named as the column is; what is common to all lists is typed.
  const query = ofOrganization.extend({
    [statusColumn]: z.enum(statuses).optional(),
  }) as unknown as typeof ofOrganization
  return endpoint({
    method: 'get',
    path: `/${listed.path}`,
    summary: listed.summary,
    tag: 'billing',
    auth: 'bearer',
    query,
    response: [{ status: 200, description: listed.description, schema: pageOf(listed.item) }, ...list404],
    handler: async ({ principal, query: asked }) => {
      const status = (asked as Readonly<Record<string, unknown>>)[statusColumn] as string | undefined
      const filters = { organization_id: asked.organization_id, status }
      const page = await reader.page<Row>(principal, asked, listed.projections, {
        list: listed.path,
        filters,
        fetch: (client, after, limit) => rowsOf(client, listed, filters, after, limit),
        placeOf: (row) => [(row[listed.time] as Date).toISOString(), String(row[listed.id])],
      })
      return { status: 200, body: { ...page, items: page.items.map((row) => shown(listed, row)) } }
    },
  })
}

async function rowsOf(
  client: PoolClient,
  { columns, from, time, id, statusColumn }: Listed,
  filters: { readonly organization_id: string | undefined; readonly status: string | undefined },
  after: Place | null,
  limit: number,
): Promise<readonly Row[]> {
  if (filters.organization_id !== undefined) await visibleOrganization(client, filters.organization_id)
  const { rows } = await client.query<Row>(
    `select ${columns} from ${from}
     where ($1::uuid is null or t.organization_id = $1) and ($2::text is null or t.${statusColumn} = $2)
       and ($3::timestamptz is null or (t.${time}, t.${id}) < ($3::timestamptz, $4))
     order by t.${time} desc, t.${id} desc limit $5`,
    [filters.organization_id ?? null, filters.status ?? null, after?.[0] ?? null, after?.[1] ?? null, limit],
  )
  return rows
}

/** int8 arrives as text, exact; ours are safe integers. */
const shown = ({ longs }: Listed, row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, longs.includes(name) && value !== null ? Number(value) : value]),
  )
