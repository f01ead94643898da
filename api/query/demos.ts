/** Demos, who looked at them, and what was said in them. */

import { z } from 'zod'
import type { PoolClient } from '../../connectors/postgres/index.ts'
import type { Endpoint } from '../http/endpoint.ts'
import { endpoint } from '../http/endpoint.ts'
import { listQuery, pageOf, readQuery } from './parameters.ts'
import type { Reader } from './reader.ts'
import { notFound } from './reader.ts'
import { instant, list404, maybeInstant, read404 } from './responses.ts'

const demo = z.object({
  demo_id: z.string(),
  organization_id: z.uuid(),
  status: z.enum(['published', 'expired', 'unpublished']),
  version: z.int().meta({ description: 'The version that the link shows', example: 2 }),
  url: z.string().nullable().meta({ description: 'The share link; null once erased' }),
  published_at: instant,
  expires_at: instant,
  ended_at: maybeInstant,
  end_reason: z.string().nullable(),
  engaged_at: maybeInstant.meta({ description: 'When its score passed the bar' }),
  engagement: z.object({
    score: z.int().meta({ description: '0 to 100' }),
    sessions: z.int().meta({ description: 'Visits that counted' }),
    viewers: z.int(),
    steps_completed: z.int(),
    dwell_ms: z.int(),
    cta_clicked: z.boolean(),
    bots_ignored: z.int(),
  }),
})

const whole = demo.extend({
  versions: z.array(
    z.object({
      version: z.int(),
      url: z.string().nullable().meta({ description: 'A link that shows this version, whatever comes after it' }),
      research_session_id: z.string(),
      personalization: z.unknown(),
      model: z.string(),
      generated_at: instant,
      published_at: maybeInstant,
    }),
  ),
  messages: z
    .array(
      z.object({
        session_id: z.string(),
        message_id: z.string(),
        role: z.enum(['visitor', 'assistant']),
        excerpt: z.string().nullable(),
        finding_ids: z.array(z.string()),
        said_at: instant,
      }),
    )
    .meta({ description: 'What visitors asked and were answered, newest first, at most 200' }),
})

const projections = ['demos']
const messagesShown = 200

export function demoEndpoints(reader: Reader): readonly Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/demos',
      summary: 'Demos and how they are looked at, newest first',
      tag: 'demos',
      auth: 'bearer',
      query: listQuery,
      response: [{ status: 200, description: 'A page of demos', schema: pageOf(demo) }, ...list404],
      handler: async ({ principal, query }) => {
        const page = await reader.page<DemoRow>(principal, query, projections, {
          list: 'demos',
          fetch: (client, after, limit) => demoRows(client, [after?.[0] ?? null, after?.[1] ?? null, null, limit]),
          placeOf: ({ published_at, demo_id }) => [published_at.toISOString(), demo_id],
        })
        return { status: 200, body: { ...page, items: page.items.map(demoOf) } }
      },
    }),
    endpoint({
      method: 'get',
      path: '/demos/:demo_id',
      summary: 'A demo with its versions and conversations',
      tag: 'demos',
      auth: 'bearer',
      query: readQuery,
      response: [{ status: 200, description: 'The demo', schema: whole }, ...read404],
      handler: async ({ principal, query, params }) => ({
        status: 200,
        body: await reader.read(principal, query, projections, (client) => wholeDemo(client, params.demo_id ?? '')),
      }),
    }),
  ]
}

interface DemoRow {
  readonly tenant_id: string
  readonly demo_id: string
  readonly url: string | null
  readonly published_at: Date
  readonly score: number
  readonly sessions: number
  readonly viewers: number
  readonly steps_completed: number
  /** int8 arrives as text. */
  readonly dwell_ms: string
  readonly cta_clicked: boolean
  readonly bots_ignored: number
}

async function demoRows(client: PoolClient, values: readonly unknown[]): Promise<readonly DemoRow[]> {
  const { rows } = await client.query<DemoRow>(
    `select d.tenant_id, d.demo_id, d.organization_id, d.status, d.version, d.url, d.published_at, d.expires_at, d.ended_at,
       d.end_reason, g.engaged_at, coalesce(e.score, 0) as score, coalesce(e.sessions, 0) as sessions,
       coalesce(e.viewers, 0) as viewers, coalesce(e.steps_completed, 0) as steps_completed,
       coalesce(e.dwell_ms, 0) as dwell_ms, coalesce(e.cta_clicked, false) as cta_clicked,
       coalesce(e.bots_ignored, 0) as bots_ignored
     from lifecycle.demos d
       left join lifecycle.demo_engagement e on e.tenant_id = d.tenant_id and e.demo_id = d.demo_id
       left join lifecycle.demo_engaged g on g.tenant_id = d.tenant_id and g.demo_id = d.demo_id
     where ($1::timestamptz is null or (d.published_at, d.demo_id) < ($1, $2)) and ($3::text is null or d.demo_id = $3)
     order by d.published_at desc, d.demo_id desc limit $4`,
    [...values],
  )
  return rows
}

function demoOf({ tenant_id: _, ...row }: DemoRow): Readonly<Record<string, unknown>> {
  const { score, sessions, viewers, steps_completed, dwell_ms, cta_clicked, bots_ignored, ...about } = row
  const engagement = {
    score,
    sessions,
    viewers,
    steps_completed,
    dwell_ms: Number(dwell_ms),
    cta_clicked,
    bots_ignored,
  }
  return { ...about, engagement }
}

const pinned =
  ({ url }: DemoRow) =>
  (version: { readonly version: number }) => ({
    ...version,
    url: url === null ? null : `${url}?version=${String(version.version)}`,
  })

async function wholeDemo(client: PoolClient, id: string): Promise<unknown> {
  const [row] = await demoRows(client, [null, null, id, 1])
  if (row === undefined) throw notFound()
  const key = [row.tenant_id, row.demo_id]
  const versions = await client.query<{ readonly version: number }>(
    `select version, research_session_id, personalization, model, generated_at, published_at
     from lifecycle.demo_versions where tenant_id = $1 and demo_id = $2 order by version desc`,
    key,
  )
  const messages = await client.query(
    `select session_id, message_id, role, excerpt, finding_ids, said_at
     from lifecycle.demo_chat_messages where tenant_id = $1 and demo_id = $2
     order by said_at desc, src_offset desc limit ${String(messagesShown)}`,
    key,
  )
  return { ...demoOf(row), versions: versions.rows.map(pinned(row)), messages: messages.rows }
}
