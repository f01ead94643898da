/**
 * News as they come, by server-sent events: the events of a timeline, told when their rows are there.
 *
 * SE1 Who listens sees their tenants and no other, at every read: an assignment that ends is heard no more, and whoever is
 *     removed, logged out or out of time hears nothing more either.
 * SE2 Nothing between two messages is lost or told twice: a message's id says where every partition stands, and
 *     `Last-Event-ID` goes on from there.
 * SE3 A stream holds one page in memory, however slowly it is read, and ends after a bounded time. A place is taken before
 *     anything is waited for, so that many requests at once get no more than one after the other.
 */

import { z } from 'zod'
import { topics } from '../../schemas/index.ts'
import { timelines } from '../../sinks/index.ts'
import type { Clock } from '../../topology/clock.ts'
import type { Endpoint, EventSink, UserPrincipal } from '../http/endpoint.ts'
import { endpoint } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import { isUuid, readQuery } from './parameters.ts'
import type { Reader } from './reader.ts'
import { visibleOrganization } from './reader.ts'
import { read404 } from './responses.ts'
import type { QuerySettings } from './settings.ts'
import type { SinkPositions } from './sink-positions.ts'
import type { StreamCursor } from './stream-cursor.ts'
import { cursorText, isBehind, later, parseCursor } from './stream-cursor.ts'
import type { TimelineRow } from './timeline-rows.ts'
import { shownItem, timelineColumns, timelineItem } from './timeline-rows.ts'

const names = new Set(topics.map(({ name }) => name))

const streamQuery = readQuery.extend({
  topics: z
    .string()
    .max(500)
    .transform((text) => text.split(','))
    .refine((list) => new Set(list).size === list.length && list.every((name) => names.has(name)), {
      error: 'expected topics with commas between them, none twice',
    })
    .default(['client_events'])
    .meta({ type: 'string', description: 'Topics with commas between them', default: 'client_events' }),
  organization_id: z.string().refine(isUuid, 'expected a UUID').optional(),
})
type StreamQuery = z.infer<typeof streamQuery>

interface Stream {
  readonly principal: UserPrincipal
  readonly topics: readonly string[]
  readonly organizationId: string | null
  stillIn(): Promise<boolean>
}

export interface StreamOptions {
  readonly reader: Reader
  readonly positions: SinkPositions
  /** Real time. */
  readonly clock: Clock
  readonly settings: QuerySettings['stream']
}

export function streamEndpoint(options: StreamOptions): Endpoint {
  const { reader, positions, settings } = options
  const open = new Map<string, number>()
  return endpoint({
    method: 'get',
    path: '/stream',
    summary:
      'News as server-sent events: `start`, then an `event` for each, with an id that `Last-Event-ID` takes. Ends with `end` ' +
      'after five minutes; open it again.',
    tag: 'timeline',
    auth: 'bearer',
    query: streamQuery,
    response: [
      { status: 200, description: 'Events until it ends', schema: timelineItem, type: 'text/event-stream' },
      { status: 400, description: '`bad_last_event_id`: not an id of this stream' },
      { status: 429, description: '`too_many_streams` of this person, of this client, or of all' },
      ...read404,
    ],
    handler: async ({ principal, query, header, stillIn }) => {
      const leave = takePlace(open, principal, settings)
      try {
        const stream = { principal, topics: query.topics, organizationId: query.organization_id ?? null, stillIn }
        await awaited(reader, stream, query)
        const from = startOf(query.topics, header('last-event-id'), await positions.now())
        return { status: 200, stream: (out) => follow(options, stream, from, out).finally(leave) }
      } catch (error) {
        leave()
        throw error
      }
    },
  })
}

/** SE3: one person does not take what their colleagues need, nor one client what all need. @throws ApiProblem 429 */
function takePlace(
  open: Map<string, number>,
  { userId, tenantId, userType }: UserPrincipal,
  { perUser, perTenant, inAll }: StreamOptions['settings'],
): () => void {
  const places = [
    ['all', inAll],
    [`user ${userId}`, perUser],
    ...(userType === 'client' ? ([[`tenant ${tenantId}`, perTenant]] as const) : []),
  ] as const
  if (places.some(([name, most]) => (open.get(name) ?? 0) >= most))
    throw new ApiProblem(429, 'too_many_streams', 'Too many streams are open.', { headers: { 'Retry-After': '5' } })
  for (const [name] of places) open.set(name, (open.get(name) ?? 0) + 1)
  return () => {
    for (const [name] of places) {
      const left = (open.get(name) ?? 1) - 1
      if (left === 0) open.delete(name)
      else open.set(name, left)
    }
  }
}

/** The organization is the asker's, and what they wait for is there. @throws ApiProblem */
async function awaited(reader: Reader, { principal, topics, organizationId }: Stream, query: StreamQuery) {
  const projections = timelines.filter(({ reads }) => topics.includes(reads.name)).map(({ name }) => name)
  await reader.read(principal, query, projections, async (client) => {
    if (organizationId !== null) await visibleOrganization(client, organizationId)
  })
}

function startOf(wanted: readonly string[], lastEventId: string | undefined, now: StreamCursor): StreamCursor {
  if (lastEventId === undefined) return new Map(wanted.map((topic) => [topic, now.get(topic) ?? []]))
  const cursor = parseCursor(lastEventId, wanted)
  if (cursor !== null) return cursor
  throw new ApiProblem(400, 'bad_last_event_id', 'Last-Event-ID is not an id of a stream of these topics.')
}

async function follow(options: StreamOptions, stream: Stream, from: StreamCursor, out: EventSink): Promise<void> {
  const { positions, clock, settings } = options
  const endsAt = clock.now() + settings.longestMs
  const cursor = new Map(from)
  let newest: StreamCursor = cursor
  let wake: () => void = () => undefined
  const leave = positions.watch((seen) => {
    newest = seen
    if (stream.topics.some((topic) => isBehind(cursor.get(topic) ?? [], seen.get(topic) ?? []))) wake()
  })
  try {
    await out.send({ event: 'start', id: cursorText(cursor), data: { topics: stream.topics } })
    while (!out.signal.aborted && clock.now() < endsAt) {
      for (const topic of stream.topics)
        if (!(await tellAll(options, stream, topic, cursor, newest.get(topic) ?? [], out))) {
          await out.send({ event: 'end', id: cursorText(cursor), data: { reason: 'access' } })
          return
        }
      const waitMs = Math.min(settings.beatMs, endsAt - clock.now())
      const woken = await pause(clock, waitMs, out.signal, (call) => (wake = call))
      if (!woken) await out.beat()
    }
    await out.send({ event: 'end', id: cursorText(cursor), data: { reason: 'time' } })
  } finally {
    leave()
  }
}

/**
 * SE2, SE3: page after page, until the cursor stands where the rows were complete.
 * @returns false when the listener may hear no more (SE1)
 */
async function tellAll(
  { reader, settings }: StreamOptions,
  stream: Stream,
  topic: string,
  cursor: Map<string, readonly bigint[]>,
  seen: readonly bigint[],
  out: EventSink,
): Promise<boolean> {
  while (!out.signal.aborted && isBehind(cursor.get(topic) ?? [], seen)) {
    const from = cursor.get(topic) ?? []
    // Trouble of the database is waited out: the next look tries again.
    const isIn = await stream.stillIn().catch(() => null)
    if (isIn === false) return false
    const rows = isIn === null ? null : await pageOf(reader, stream, topic, from, seen, settings.page).catch(() => null)
    if (rows === null) return true
    for (const row of rows) {
      const told = [...later(cursor.get(topic) ?? [], [])]
      for (let partition = 0; partition < row.src_part; partition++)
        told[partition] = later(from, seen)[partition] ?? 0n
      told[row.src_part] = BigInt(row.src_offset) + 1n
      cursor.set(
        topic,
        Array.from(told, (offset) => offset ?? 0n),
      )
      await out.send({ event: 'event', id: cursorText(cursor), data: shownItem(row, stream.principal) })
    }
    if (rows.length < settings.page) cursor.set(topic, later(from, seen))
  }
  return true
}

/** By partition, then offset; only what stood before `seen`, where rows are complete. SE1. */
async function pageOf(
  reader: Reader,
  { principal, organizationId }: Stream,
  topic: string,
  from: readonly bigint[],
  seen: readonly bigint[],
  limit: number,
): Promise<readonly TimelineRow[]> {
  return reader.read(principal, {}, [], async (client) => {
    const { rows } = await client.query<TimelineRow>(
      `select ${timelineColumns} from lifecycle.timeline_${topic}
       join unnest($1::int4[], $2::int8[], $3::int8[]) as wanted (part, first, next)
         on src_part = part and src_offset >= first and src_offset < next
       where $4::uuid is null or organization_id = $4
       order by src_part, src_offset limit $5`,
      [
        seen.map((_, partition) => partition),
        seen.map((_, partition) => String(from[partition] ?? 0n)),
        seen.map(String),
        organizationId,
        limit,
      ],
    )
    return rows
  })
}

/** @returns true when it was woken, false when the time is up or the signal came */
function pause(clock: Clock, ms: number, signal: AbortSignal, arm: (wake: () => void) => void): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false)
  return new Promise((resolve) => {
    const done = (woken: boolean) => (): void => {
      cancel()
      signal.removeEventListener('abort', aborted)
      resolve(woken)
    }
    const aborted = done(false)
    const cancel = clock.after(Math.max(0, ms), done(false))
    signal.addEventListener('abort', aborted, { once: true })
    arm(done(true))
  })
}
