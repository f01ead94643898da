/** The topic browser: what topics there are, and their records. Read only; what is not committed does not show. */

import { z } from 'zod'
import type { Log } from '../../connectors/kafka/index.ts'
import { topicByName } from '../../schemas/index.ts'
import type { Endpoint } from '../http/endpoint.ts'
import { endpoint } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import type { LogPage } from './log-reader.ts'
import { boundsOf, offsetAtTime, readPage } from './log-reader.ts'
import type { Operators } from './operator.ts'
import { operatorsOnly, requireOperator } from './operator.ts'
import type { CodecOf } from './shown-record.ts'
import { shownRecord, shownRecords } from './shown-record.ts'

export interface BrowserOptions {
  readonly log: Log
  readonly codec: CodecOf
  readonly operators: Operators
}

const kinds = ['event', 'dead_letter', 'changelog', 'repartition', 'internal'] as const

const topic = z.object({
  name: z.string(),
  kind: z.enum(kinds),
  partitions: z.array(z.object({ partition: z.int(), start: z.string(), end: z.string() })),
})

const limitMax = 100
const recordsQuery = z.strictObject({
  partition: z
    .string()
    .regex(/^\d{1,6}$/, 'expected a number')
    .transform(Number)
    .default(0)
    .meta({ type: 'integer' }),
  offset: z
    .string()
    .regex(/^\d{1,18}$/, 'expected an offset')
    .transform(BigInt)
    .optional()
    .meta({ type: 'string', description: 'Where to begin; the newest page unless told' }),
  at: z.iso
    .datetime()
    .transform((text) => Date.parse(text))
    .optional()
    .meta({ type: 'string', description: 'Begin where records of this time begin, instead of an offset' }),
  limit: z
    .string()
    .regex(/^[1-9]\d{0,2}$/, `expected 1 to ${String(limitMax)}`)
    .transform(Number)
    .pipe(z.int().min(1).max(limitMax))
    .default(25),
})
type RecordsQuery = z.infer<typeof recordsQuery>

const recordsAnswer = z.object({
  topic: z.string(),
  partition: z.int(),
  start: z.string(),
  end: z.string(),
  records: z.array(shownRecord),
  next_offset: z.string(),
})

export function topicEndpoints({ log, codec, operators }: BrowserOptions): readonly Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/operator/topics',
      summary: 'Every topic of the log, and where its partitions begin and end',
      tag: 'operator',
      auth: 'bearer',
      response: [
        { status: 200, description: 'In order of their names', schema: z.object({ topics: z.array(topic) }) },
        operatorsOnly,
      ],
      handler: async ({ principal }) => {
        await requireOperator(operators, principal)
        return { status: 200, body: { topics: await topicsOf(log) } }
      },
    }),
    endpoint({
      method: 'get',
      path: '/operator/topics/:topic/records',
      summary: 'Records of a partition, in order; personal fields of other tenants are left out',
      tag: 'operator',
      auth: 'bearer',
      query: recordsQuery,
      response: [
        { status: 200, description: 'A page; `next_offset` begins the next one', schema: recordsAnswer },
        { status: 400, description: '`bad_parameter`' },
        operatorsOnly,
        { status: 404, description: '`not_found`: no such topic or partition' },
      ],
      handler: async ({ principal, params, query }) => {
        await requireOperator(operators, principal)
        const name = params.topic ?? ''
        const [known] = await log.metadata([name])
        if (known === undefined || query.partition >= known.partitions)
          throw new ApiProblem(404, 'not_found', 'There is no such topic or partition.')
        const { partition } = query
        const { start, end } = await boundsOf(log, name, partition)
        const page = await pageOf(log, { topic: name, partition }, query, end)
        const records = await shownRecords(page.records, codec, principal)
        const place = { topic: name, partition, start: String(start), end: String(end) }
        return { status: 200, body: { ...place, records, next_offset: String(page.next) } }
      },
    }),
  ]
}

async function pageOf(
  log: Log,
  place: { readonly topic: string; readonly partition: number },
  { offset, at, limit }: RecordsQuery,
  end: bigint,
): Promise<LogPage> {
  if (offset !== undefined) return readPage(log, place, offset, limit)
  if (at !== undefined) return readPage(log, place, await offsetAtTime(log, place.topic, place.partition, at), limit)
  // The newest: commit markers take offsets too, so from further back, and of that the last.
  const { records, next } = await readPage(log, place, end - BigInt(limit) * 4n, limit * 4)
  return { records: records.slice(-limit), next }
}

async function topicsOf(log: Log): Promise<z.infer<typeof topic>[]> {
  const found = await log.metadata()
  const places = found.flatMap(({ name, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })),
  )
  const [starts, ends] = await Promise.all([log.listOffsets(places, 'earliest'), log.listOffsets(places, 'stable')])
  const bounds = places.map((place, index) => ({ ...place, start: String(starts[index]), end: String(ends[index]) }))
  const byTopic = Map.groupBy(bounds, (place) => place.topic)
  return found
    .map(({ name }) => ({
      name,
      kind: kindOf(name),
      partitions: (byTopic.get(name) ?? []).map(({ partition, start, end }) => ({ partition, start, end })),
    }))
    .sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || (a.name < b.name ? -1 : 1))
}

function kindOf(name: string): (typeof kinds)[number] {
  if (topicByName(name) !== undefined) return 'event'
  if (name.endsWith('.dlq')) return 'dead_letter'
  if (name.endsWith('-changelog')) return 'changelog'
  return name.endsWith('-repartition') ? 'repartition' : 'internal'
}
