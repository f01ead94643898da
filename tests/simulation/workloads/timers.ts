/**
 * Deadlines: an `arm` event starts a key's deadline, a later one moves it, a `save` event disarms it. A deadline fires at
 * most once, exactly once when nothing saved it, and never when the saving event was in the log before its time.
 */

import type { NodeContext, NodeProcessor, StreamRecord, Topology } from '../../../topology/index.ts'
import { TopologyBuilder, noHeaders, stringSerde } from '../../../topology/index.ts'
import type { Evidence, FeedRecord, Pick, ProgramFactory, SeenRecord, Violation } from '../program.ts'
import { Ids } from './keys.ts'
import { textOf } from './ledger-model.ts'
import { kept, startWorker } from './stream-program.ts'

const text = { key: stringSerde, value: stringSerde }

interface Step {
  readonly kind: 'arm' | 'save'
  readonly id: string
  readonly dueAt: number
}

const parse = (value: string): Step => {
  const [id = '', kind = '', dueAt = '0'] = value.split('|')
  return { id, kind: kind === 'arm' ? 'arm' : 'save', dueAt: Number(dueAt) }
}

const deadline = (): NodeProcessor => ({
  process(record, context) {
    const { key, value, timestamp } = record as StreamRecord<string, string>
    const step = parse(value)
    const keyBytes = Buffer.from(key)
    context.timer(keyBytes, 'deadline', step.kind === 'arm' ? step.dueAt : null)
    if (step.kind === 'arm') context.store('waiting').put(keyBytes, Buffer.from(step.id))
    else context.store('waiting').delete(keyBytes)
    context.forward({ key, value: `seen|${step.id}`, timestamp, headers: noHeaders })
  },
  timer(key: Buffer, _name: string, dueAt: number, context: NodeContext) {
    const id = context.store('waiting').get(key)?.toString() ?? 'nobody'
    context.store('waiting').delete(key)
    context.forward({ key: key.toString(), value: `missed|${id}|${dueAt}`, timestamp: dueAt, headers: noHeaders })
  },
})

const topology = (): Topology =>
  new TopologyBuilder('deadlines')
    .source('bills', { topic: 'bills', ...text })
    .store('waiting')
    .store('timers', { kind: 'timers' })
    .processor('deadline', {
      parents: ['bills'],
      stores: ['waiting'],
      timers: { store: 'timers', handles: ['deadline'] },
      supplier: deadline,
    })
    .sink('out', { parents: ['deadline'], topics: ['bill-outcomes'], ...text })
    .build()

export const timers: ProgramFactory = ({ partitions, runtime, chance }) => {
  const ids = new Ids()
  const longestMs = chance.of([800, 4000, 12_000])
  /** Events to come, by the time they are due to be sent. */
  const later: { readonly at: number; readonly record: (nowMs: number) => FeedRecord }[] = []
  let orders = 0
  const begin = (nowMs: number, pick: Pick): FeedRecord => {
    const key = `${pick.of(['acme', 'globex'])}/o${++orders}`
    const dueAt = nowMs + 100 + pick.below(longestMs)
    const send = (afterMs: number, make: (at: number) => string): void => {
      later.push({ at: nowMs + afterMs, record: (at) => ids.record('bills', key, at, make(at)) })
    }
    const moved = dueAt + 1 + pick.below(longestMs)
    if (pick.chance(0.2)) send(pick.below(dueAt - nowMs), () => `arm|${moved}`)
    if (pick.chance(0.6)) send(pick.below(Math.round((dueAt - nowMs) * 1.2)), () => 'save')
    return ids.record('bills', key, nowMs, `arm|${dueAt}`)
  }
  return {
    name: 'timers',
    topics: [kept('bills', partitions), kept('bill-outcomes', partitions)],
    groups: [{ group: 'deadlines', topics: ['bills'] }],
    start: (machine) => startWorker(machine, runtime, [topology()]),
    generate(feed, nowMs, pick) {
      const due = later.filter(({ at }) => at <= nowMs)
      for (const one of due) later.splice(later.indexOf(one), 1)
      feed.send([
        ...due.map(({ record }) => record(nowMs)),
        ...Array.from({ length: 1 + pick.below(6) }, () => begin(nowMs, pick)),
      ])
    },
    unfinished: (evidence) => unfired(evidence, partitions)[0] ?? null,
    check: (evidence) => [
      ...Array.from({ length: partitions }, (_, partition) => checkPartition(evidence, partition)).flat(),
      ...unfired(evidence, partitions).map((what): Violation => ({ invariant: 'I13', what })),
    ],
  }
}

interface Story {
  readonly records: SeenRecord[]
  readonly missed: { readonly id: string; readonly dueAt: number }[]
}

function storiesOf(evidence: Evidence, partition: number): Map<string, Story> {
  const stories = new Map<string, Story>()
  const of = (key: Buffer | null): Story => {
    const name = textOf(key)
    let story = stories.get(name)
    if (story === undefined) stories.set(name, (story = { records: [], missed: [] }))
    return story
  }
  for (const record of evidence.committed('bills', partition)) of(record.key).records.push(record)
  for (const record of evidence.committed('bill-outcomes', partition)) {
    const [kind, id = '', dueAt = '0'] = textOf(record.value).split('|')
    if (kind === 'missed') of(record.key).missed.push({ id, dueAt: Number(dueAt) })
  }
  return stories
}

function checkPartition(evidence: Evidence, partition: number): Violation[] {
  const violations: Violation[] = []
  for (const [key, { records, missed }] of storiesOf(evidence, partition)) {
    const seen = new Set<string>()
    for (const { id, dueAt } of missed) {
      const name = `the deadline of ${key} due at ${dueAt}`
      if (seen.has(String(dueAt))) violations.push({ invariant: 'I2', what: `${name} fired twice` })
      seen.add(String(dueAt))
      const arm = records.findIndex((record) => parse(textOf(record.value)).dueAt === dueAt)
      if (arm < 0) violations.push({ invariant: 'I2', what: `${name} was never armed, and fired for ${id}` })
      else if (wasSaved(evidence, records.slice(arm + 1), dueAt))
        violations.push({ invariant: 'I2', what: `${name} fired, although what saves it was in the log before` })
    }
  }
  return violations
}

/** Whether a record that saves or moves the deadline was in the log before any clock could say that it is due. */
function wasSaved(evidence: Evidence, later: readonly SeenRecord[], dueAt: number): boolean {
  const [next] = later
  // A record of the key that is younger than the deadline fires it first, by right.
  return next !== undefined && next.timestamp <= dueAt && next.seenAt < evidence.earliestWall(dueAt)
}

/** Deadlines that nothing saved and that have not fired. */
function unfired(evidence: Evidence, partitions: number): string[] {
  const missing: string[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const refused = new Set(evidence.committed('bills.dlq', partition).map(({ value }) => parse(textOf(value)).id))
    for (const [key, { records, missed }] of storiesOf(evidence, partition)) {
      const last = records.at(-1)
      if (last === undefined) continue
      const { kind, id, dueAt } = parse(textOf(last.value))
      // An event that was sent again may come after later ones: what it arms may be before the last firing (timers T2).
      const isPast = missed.some((fired) => fired.dueAt > dueAt) && refused.has(id)
      if (kind === 'arm' && !isPast && !missed.some((fired) => fired.dueAt === dueAt))
        missing.push(`the deadline of ${key} due at ${dueAt} did not fire`)
    }
  }
  return missing
}
