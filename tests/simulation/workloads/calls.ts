/**
 * The async operator: each request is answered exactly once, answers of a lane come in the order of its requests, each call
 * starts from what the answers before it in its lane have written, and a provider with a rate limit sees no more calls than
 * it allows, whatever fails.
 */

import type { AsyncOperation, CallLimit, LoadContext, StreamRecord, Topology } from '../../../topology/index.ts'
import { TopologyBuilder, noHeaders, stringSerde } from '../../../topology/index.ts'
import type { Evidence, Machine, ProgramFactory, Violation } from '../program.ts'
import { hashText } from '../random.ts'
import { Ids, eventTime, keyOf } from './keys.ts'
import { idOf, textOf } from './ledger-model.ts'
import { kept, startWorker } from './stream-program.ts'

const text = { key: stringSerde, value: stringSerde }
const refused = 'refused'

/** A service outside: answers are a function of the request, so that asking twice is harmless. */
class Provider {
  /** Start times by the caller's clock, by life and account. */
  readonly starts = new Map<string, number[]>()

  started(life: string, account: string, atMs: number): void {
    const name = `${account} of ${life}`
    const starts = this.starts.get(name)
    if (starts === undefined) this.starts.set(name, [atMs])
    else starts.push(atMs)
  }

  answer(value: string): string {
    return isRefused(value) ? refused : answerTo(value)
  }
}

const laneOf = (key: string, value: string): string => `${key}#${(hashText(idOf(value)) >>> 0) % 2}`

const answerTo = (value: string): string => String(hashText(idOf(value)) >>> 0)
const isRefused = (value: string): boolean => value.split('|')[1] === 'bad'

type Request = StreamRecord<string, string>

interface Manner {
  readonly concurrency: number
  readonly limit: CallLimit | null
}

function operation(
  machine: Machine,
  provider: Provider,
  { concurrency, limit }: Manner,
): AsyncOperation<string, string, number> {
  return {
    concurrency,
    timeoutMs: 5000,
    ...text,
    lane: (record) => laneOf(String(record.key), record.value),
    limit: (record) => (limit === null ? null : { account: String(record.key), limit }),
    load: (record, context) => answeredBefore(context, laneOf(String(record.key), record.value)),
    async call(record, _, before) {
      provider.started(machine.life, String(record.key), machine.clock.now())
      const answer = await machine.outside('provider', () => provider.answer(record.value))
      if (answer === refused) throw new Error('the provider refuses the request')
      return `${answer}|${before}`
    },
    answered(record, answer, context) {
      const { key, value, timestamp } = record as Request
      const lane = laneOf(key, value)
      context.store('answered').put(Buffer.from(lane), Buffer.from(String(answeredBefore(context, lane) + 1)))
      context.forward({ key, value: `${idOf(value)}|${answer}`, timestamp, headers: noHeaders })
    },
  }
}

/** How many requests of a lane were answered. */
const answeredBefore = (context: LoadContext, lane: string): number =>
  Number(context.store('answered').get(Buffer.from(lane))?.toString() ?? 0)

const topology = (machine: Machine, provider: Provider, manner: Manner): Topology =>
  new TopologyBuilder('calls')
    .source('requests', { topic: 'requests', ...text })
    .store('done', { kind: 'done' })
    .store('waiting', { kind: 'waiting' })
    .store('answered')
    .async<string, string, number>('call', {
      parents: ['requests'],
      doneStore: 'done',
      waitingStore: 'waiting',
      stores: ['answered'],
      operator: operation(machine, provider, manner),
    })
    .sink('out', { parents: ['call'], topics: ['answers'], ...text })
    .build()

export const calls: ProgramFactory = ({ partitions, runtime, chance }) => {
  const ids = new Ids()
  const provider = new Provider()
  const manner = {
    concurrency: chance.of([1, 4, 16]),
    limit: chance.of([null, { calls: 1, windowMs: 150 }, { calls: 3, windowMs: 1000 }]),
  }
  return {
    name: 'calls',
    topics: [kept('requests', partitions), kept('answers', partitions)],
    // What is committed is the lowest open offset, so a request that is answered may stand above it for a while.
    groups: [{ group: 'calls', topics: ['requests'] }],
    start: (machine) => startWorker(machine, runtime, [topology(machine, provider, manner)]),
    generate(feed, nowMs, pick) {
      feed.send(
        Array.from({ length: 1 + pick.below(8) }, () =>
          ids.record('requests', keyOf(pick, 12), eventTime(pick, nowMs), pick.chance(0.06) ? 'bad' : 'good'),
        ),
      )
    },
    unfinished: (evidence) => unanswered(evidence, partitions)[0] ?? null,
    check: (evidence) => [
      ...Array.from({ length: partitions }, (_, partition) => checkPartition(evidence, partition)).flat(),
      ...unanswered(evidence, partitions).map((what): Violation => ({ invariant: 'I1', what })),
      ...checkLimit(provider, manner.limit),
    ],
  }
}

function checkPartition(evidence: Evidence, partition: number): Violation[] {
  const violations: Violation[] = []
  const places = new Map<string, number>()
  const laneOfId = new Map(
    evidence.committed('requests', partition).map(({ key, value }) => [idOf(textOf(value)), laneOf(textOf(key), textOf(value))]), // prettier-ignore
  )
  const answered = new Map<string, number>()
  for (const record of evidence.committed('answers', partition)) {
    const [id = '', answer = '', before = ''] = textOf(record.value).split('|')
    const own = laneOfId.get(id) ?? ''
    if (Number(before) !== (answered.get(own) ?? 0))
      violations.push({
        invariant: 'I2',
        what: `request ${id} started from ${before} answers of its lane, not ${answered.get(own) ?? 0}`,
      })
    answered.set(own, (answered.get(own) ?? 0) + 1)
    if (places.has(id)) violations.push({ invariant: 'I2', what: `request ${id} was answered twice` })
    if (answer !== answerTo(id)) violations.push({ invariant: 'I2', what: `request ${id} got the answer of another` })
    places.set(id, places.size)
  }
  const lanes = new Map<string, number>()
  for (const record of evidence.committed('requests', partition)) {
    const lane = laneOf(textOf(record.key), textOf(record.value))
    const place = places.get(idOf(textOf(record.value)))
    if (place === undefined) continue
    if (place < (lanes.get(lane) ?? -1))
      violations.push({ invariant: 'I2', what: `the answer to ${textOf(record.value)} was overtaken in lane ${lane}` })
    lanes.set(lane, Math.max(place, lanes.get(lane) ?? -1))
  }
  return violations
}

/** No life starts more calls of an account in any window than the limit allows. */
function checkLimit(provider: Provider, limit: CallLimit | null): Violation[] {
  if (limit === null) return []
  for (const [who, starts] of provider.starts)
    for (let last = limit.calls; last < starts.length; last++) {
      const windowMs = (starts[last] ?? 0) - (starts[last - limit.calls] ?? 0)
      // A clock that went back says nothing about the time between.
      if (windowMs >= 0 && windowMs < limit.windowMs)
        return [{ invariant: 'I15', what: `${limit.calls + 1} calls of ${who} started within ${windowMs} ms` }]
    }
  return []
}

/** Requests with neither an answer nor, when the provider refuses them, a dead letter. */
function unanswered(evidence: Evidence, partitions: number): string[] {
  const missing: string[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const answered = new Set(evidence.committed('answers', partition).map(({ value }) => idOf(textOf(value))))
    const dead = new Set(evidence.committed('requests.dlq', partition).map(({ value }) => idOf(textOf(value))))
    for (const { value } of evidence.committed('requests', partition)) {
      const id = idOf(textOf(value))
      const done = isRefused(textOf(value)) ? dead.has(id) : answered.has(id)
      if (!done) missing.push(`request ${id} has no ${isRefused(textOf(value)) ? 'dead letter' : 'answer'}`)
    }
  }
  return missing
}
