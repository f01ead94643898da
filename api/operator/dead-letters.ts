/** What could not be processed: dead letters, the keys that wait behind them, and processing them again. */

import { z } from 'zod'
import type { Log } from '../../connectors/kafka/index.ts'
import type { Endpoint } from '../http/endpoint.ts'
import { endpoint } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import type { LogRecord } from './log-reader.ts'
import { boundsOf, readPage, timeText } from './log-reader.ts'
import type { Operators } from './operator.ts'
import { operatorsOnly, requireOperator } from './operator.ts'
import type { PlatformView } from './platform-view.ts'
import { blockedView } from './platform-view.ts'

const letter = z.object({
  dead_letter_topic: z.string(),
  dead_letter_partition: z.int(),
  dead_letter_offset: z.string(),
  topic: z.string().meta({ description: 'Where the record stands' }),
  partition: z.string(),
  offset: z.string(),
  key: z.string().nullable(),
  application: z.string().meta({ description: 'Who could not use it' }),
  reason: z.string(),
  message: z.string(),
  at: z.iso.datetime(),
})
type Letter = z.infer<typeof letter>

/** Newest letters of each partition that are looked at. */
const lettersPerPartition = 200
const lettersMax = 500

const redriveRequest = z.strictObject({
  application: z.string().min(1).max(200),
  key: z.string().min(1).max(2_000),
  skip_first: z.boolean().default(false).meta({ description: 'Leave the record that failed out, and go on behind it' }),
})

export interface DeadLetterOptions {
  readonly log: Log
  readonly operators: Operators
  readonly platform: PlatformView
  /** One line for the operator's log: who did what. */
  readonly notice: (line: string) => void
}

export function deadLetterEndpoints(options: DeadLetterOptions): readonly Endpoint[] {
  const { log, operators, platform } = options
  return [
    endpoint({
      method: 'get',
      path: '/operator/dead-letters',
      summary: 'Records that could not be used, newest first: where they stand and why, not what they hold',
      tag: 'operator',
      auth: 'bearer',
      response: [
        {
          status: 200,
          description: `At most ${String(lettersMax)}`,
          schema: z.object({ dead_letters: z.array(letter), more: z.boolean() }),
        },
        operatorsOnly,
      ],
      handler: async ({ principal }) => {
        await requireOperator(operators, principal)
        const letters = await newestLetters(log)
        const body = { dead_letters: letters.slice(0, lettersMax), more: letters.length > lettersMax }
        return { status: 200, body }
      },
    }),
    endpoint({
      method: 'get',
      path: '/operator/blocked',
      summary: 'Keys whose records wait behind one that failed',
      tag: 'operator',
      auth: 'bearer',
      response: [{ status: 200, description: 'Of the tasks of this process', schema: blockedView }, operatorsOnly],
      handler: async ({ principal }) => {
        await requireOperator(operators, principal)
        return { status: 200, body: await platform.blocked() }
      },
    }),
    redriveEndpoint(options),
  ]
}

const redriveEndpoint = ({ operators, platform, notice }: DeadLetterOptions): Endpoint =>
  endpoint({
    method: 'post',
    path: '/operator/redrive',
    summary: 'Process the records that wait under a key again, in order',
    tag: 'operator',
    auth: 'bearer',
    request: redriveRequest,
    response: [
      {
        status: 200,
        description: 'Done; `left` is 0 when nothing is set aside any more',
        schema: z.object({ application: z.string(), key: z.string(), left: z.int() }),
      },
      operatorsOnly,
      { status: 404, description: '`not_blocked`: nothing is set aside under this key' },
    ],
    handler: async ({ principal, body: { application, key, skip_first } }) => {
      const email = await requireOperator(operators, principal)
      const left = await platform.redrive(application, key, skip_first)
      if (left === null) throw new ApiProblem(404, 'not_blocked', 'Nothing is set aside under this key.')
      notice(
        `console: ${email} redrove ${application} ${key}${skip_first ? ', the first one skipped' : ''}: ${left} left`,
      )
      return { status: 200, body: { application, key, left } }
    },
  })

async function newestLetters(log: Log): Promise<readonly Letter[]> {
  const letters: Letter[] = []
  for (const { name, partitions } of await log.metadata()) {
    if (!name.endsWith('.dlq')) continue
    for (let partition = 0; partition < partitions; partition++) {
      const { end } = await boundsOf(log, name, partition)
      const from = end - BigInt(lettersPerPartition)
      const { records } = await readPage(log, { topic: name, partition }, from, lettersPerPartition)
      letters.push(...records.map(letterOf))
    }
  }
  return letters.sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0))
}

function letterOf({ topic, partition, offset, key, timestamp, headers }: LogRecord): Letter {
  const said = new Map(headers.map((header) => [header.key, header.value.toString('utf8')]))
  const of = (name: string): string => said.get(`dlq-${name}`) ?? ''
  const at = Number(of('at'))
  return {
    dead_letter_topic: topic,
    dead_letter_partition: partition,
    dead_letter_offset: String(offset),
    topic: of('topic'),
    partition: of('partition'),
    offset: of('offset'),
    key: key?.toString('utf8') ?? null,
    application: of('application'),
    reason: of('reason'),
    message: of('message'),
    at: timeText(at > 0 ? at : timestamp),
  }
}
