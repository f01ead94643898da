/** Everything that happened to an organization, over all topics: page by page, one event whole, and what caused what. */

import { z } from 'zod'
import type { PoolClient } from '../../connectors/postgres/index.ts'
import { personalNames, personalShown, sellersFields, topicByName, topics } from '../../schemas/index.ts'
import type { AnyEvent, EventDefinition } from '../../schemas/index.ts'
import { timelines } from '../../sinks/index.ts'
import type { Endpoint, UserPrincipal } from '../http/endpoint.ts'
import { endpoint, isAgent } from '../http/endpoint.ts'
import { listQuery, pageOf, readQuery } from './parameters.ts'
import type { Reader } from './reader.ts'
import { notFound, visibleOrganization } from './reader.ts'
import { list404, read404 } from './responses.ts'
import type { TimelineRow } from './timeline-rows.ts'
import { shownItem, timelineColumns, timelineItem } from './timeline-rows.ts'

/** The event as it stands in the log; null when its topic does not keep it any more, or cannot be read. */
export type ReadEvent = (topic: string, partition: number, offset: bigint) => Promise<AnyEvent | null>

const timelineQuery = listQuery.extend({
  topic: z.enum(topics.map(({ name }) => name)).optional(),
  event_type: z
    .string()
    .regex(/^[a-z_]{1,64}$/)
    .optional(),
})
type TimelineQuery = z.infer<typeof timelineQuery>

const wholeEvent = timelineItem.extend({
  payload: z
    .record(z.string(), z.unknown())
    .nullable()
    .meta({ description: 'Null when the topic does not keep the event any more' }),
  hidden: z.array(z.string()).meta({ description: "Fields that are not for you: personal, or the seller's alone" }),
  erased: z.array(z.string()).meta({ description: 'Personal fields that were erased' }),
})

const chain = z.object({
  event: timelineItem,
  causes: z.array(timelineItem).meta({ description: 'What led to it, the nearest first' }),
  effects: z.array(timelineItem).meta({ description: 'What came of it, in the order of time' }),
})

const names = timelines.map(({ name }) => name)
/** Longest way up, and most effects shown. */
const chainMax = { causes: 50, effects: 200, depth: 20 }

export function timelineEndpoints(reader: Reader, readEvent: ReadEvent): readonly Endpoint[] {
  return [pageEndpoint(reader), eventEndpoint(reader, readEvent), causesEndpoint(reader)]
}

const pageEndpoint = (reader: Reader): Endpoint =>
  endpoint({
    method: 'get',
    path: '/organizations/:id/timeline',
    summary: 'What happened to an organization, over all topics, newest first. Kept for `TIMELINE_DAYS`.',
    tag: 'timeline',
    auth: 'bearer',
    query: timelineQuery,
    response: [{ status: 200, description: 'A page of events', schema: pageOf(timelineItem) }, ...list404],
    handler: async ({ principal, query, params }) => {
      const page = await reader.page<TimelineRow>(principal, query, awaited(query), {
        list: `timeline ${params.id ?? ''}`,
        filters: { topic: query.topic, event_type: query.event_type },
        fetch: async (client, after, limit) => {
          const { tenant_id, organization_id } = await visibleOrganization(client, params.id ?? '')
          const { rows } = await client.query<TimelineRow>(
            `select ${timelineColumns} from ${tableOf(query)}
             where tenant_id = $1 and organization_id = $2 and ($3::text is null or event_type = $3)
               and ($4::timestamptz is null or occurred_at <= $4 and (occurred_at < $4 or event_id > $5))
             order by occurred_at desc, event_id limit $6`,
            [tenant_id, organization_id, query.event_type ?? null, after?.[0] ?? null, after?.[1] ?? null, limit],
          )
          return rows
        },
        placeOf: ({ occurred_at, event_id }) => [occurred_at.toISOString(), event_id],
      })
      return { status: 200, body: { ...page, items: page.items.map((row) => shownItem(row, principal)) } }
    },
  })

const eventEndpoint = (reader: Reader, readEvent: ReadEvent): Endpoint =>
  endpoint({
    method: 'get',
    path: '/organizations/:id/timeline/:event_id',
    summary: 'One event whole; its personal fields are for owners, admins and agents',
    tag: 'timeline',
    auth: 'bearer',
    query: readQuery,
    response: [{ status: 200, description: 'The event', schema: wholeEvent }, ...read404],
    handler: async ({ principal, query, params }) => {
      const row = await reader.read(principal, query, names, (client) => visibleEvent(client, params))
      const event = await readEvent(row.src_topic, row.src_part, BigInt(row.src_offset))
      const definition = definitionOf(row)
      const body = { ...shownItem(row, principal), ...payloadFor(principal, definition, event) }
      return { status: 200, body }
    },
  })

const causesEndpoint = (reader: Reader): Endpoint =>
  endpoint({
    method: 'get',
    path: '/organizations/:id/timeline/:event_id/causes',
    summary: 'What led to an event, and what came of it',
    tag: 'timeline',
    auth: 'bearer',
    query: readQuery,
    response: [{ status: 200, description: 'The chain, as far as the timeline is kept', schema: chain }, ...read404],
    handler: async ({ principal, query, params }) => ({
      status: 200,
      body: await reader.read(principal, query, names, async (client) => {
        const row = await visibleEvent(client, params)
        const { tenant_id } = await visibleOrganization(client, params.id ?? '')
        const [causes, effects] = [await causesOf(client, tenant_id, row), await effectsOf(client, tenant_id, row)]
        const shown = (one: TimelineRow) => shownItem(one, principal)
        return { event: shown(row), causes: causes.map(shown), effects: effects.map(shown) }
      }),
    }),
  })

const tableOf = ({ topic }: TimelineQuery): string =>
  topic === undefined ? 'lifecycle.timeline' : `lifecycle.timeline_${topic}`

/** The projections whose rows a page shows. */
const awaited = ({ topic }: TimelineQuery): readonly string[] =>
  topic === undefined ? names : timelines.filter(({ reads }) => reads.name === topic).map(({ name }) => name)

/** @throws ApiProblem 404, also for an event of another organization */
async function visibleEvent(client: PoolClient, params: Readonly<Record<string, string>>): Promise<TimelineRow> {
  const { tenant_id, organization_id } = await visibleOrganization(client, params.id ?? '')
  const id = params.event_id ?? ''
  const { rows } = await client.query<TimelineRow>(
    `select ${timelineColumns} from lifecycle.timeline where tenant_id = $1 and event_id = $2 and organization_id = $3 limit 1`,
    [tenant_id, id.includes('\0') ? '' : id, organization_id],
  )
  const row = rows[0]
  if (row === undefined) throw notFound()
  return row
}

/** A chain may pass through other organizations of the tenant. */
async function causesOf(client: PoolClient, tenant: string, { causation_id }: TimelineRow): Promise<TimelineRow[]> {
  const found: TimelineRow[] = []
  for (let wanted = causation_id; wanted !== '' && found.length < chainMax.causes;) {
    const { rows } = await client.query<TimelineRow>(
      `select ${timelineColumns} from lifecycle.timeline where tenant_id = $1 and event_id = $2 limit 1`,
      [tenant, wanted],
    )
    const row = rows[0]
    if (row === undefined || found.some(({ event_id }) => event_id === row.event_id)) break
    found.push(row)
    wanted = row.causation_id
  }
  return found
}

/** One generation after the other, so that each is one look into the index of causes. */
async function effectsOf(client: PoolClient, tenant: string, { event_id }: TimelineRow): Promise<TimelineRow[]> {
  const found = new Map<string, TimelineRow>()
  let generation = [event_id]
  for (let depth = 0; depth < chainMax.depth && generation.length > 0 && found.size < chainMax.effects; depth++) {
    const { rows } = await client.query<TimelineRow>(
      `select ${timelineColumns} from lifecycle.timeline where tenant_id = $1 and causation_id = any ($2)
       order by occurred_at, event_id limit $3`,
      [tenant, generation, chainMax.effects - found.size],
    )
    generation = rows.map((row) => row.event_id).filter((id) => id !== event_id && !found.has(id))
    for (const row of rows) if (row.event_id !== event_id) found.set(row.event_id, row)
  }
  return [...found.values()].sort((a, b) => a.occurred_at.getTime() - b.occurred_at.getTime())
}

function definitionOf({ src_topic, event_type }: TimelineRow): EventDefinition | undefined {
  return (topicByName(src_topic)?.events as Readonly<Record<string, EventDefinition>> | undefined)?.[event_type]
}

function payloadFor(principal: UserPrincipal, definition: EventDefinition | undefined, event: AnyEvent | null) {
  if (definition === undefined || event === null)
    return { payload: null, hidden: definition === undefined ? [] : personalNames(definition), erased: [] }
  const { payload, hidden, erased } = personalShown(definition, event, mayReadPersonal(principal))
  if (isAgent(principal)) return { payload, hidden, erased }
  const sellers = sellersFields(event.event_type, payload)
  const kept = Object.entries(payload).filter(([name]) => !sellers.has(name))
  const withheld = Object.keys(payload).filter((name) => sellers.has(name))
  return { payload: Object.fromEntries(kept), hidden: [...hidden, ...withheld], erased }
}

/** Colleagues see what happened; what is said about a person is for those who answer for the organization. */
const mayReadPersonal = ({ userType, role }: UserPrincipal): boolean =>
  userType === 'agent' || role === 'owner' || role === 'admin'
