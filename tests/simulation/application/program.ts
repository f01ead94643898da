/**
 * The application as a program of the simulator: companies sign up, are researched, and wait for people, while every edge
 * fails. It needs no generator: its desk writes what people want, in each of its processes.
 */

import { effectsApplication } from '../../../connectors/effects/index.ts'
import { services } from '../../../processors/index.ts'
import type { RuntimeSettings } from '../../../topology/index.ts'
import { repartitionTopic } from '../../../topology/index.ts'
import type { Evidence, Pick, Program, Violation } from '../program.ts'
import { checkFirstLight, unfinishedOf } from './checks/index.ts'
import { callTopics, spokenTopics } from './codecs.ts'
import { OutboxServer } from './edges.ts'
import { FirstLight } from './first-light.ts'
import { startNode } from './node.ts'

/** Small: what the application does is in its services, and the log has workloads of its own. */
const mostPartitions = 3

const times = (count: number, ...path: readonly string[]): (readonly string[])[] =>
  Array<readonly string[]>(count).fill(path)
/** Of the sinks, the ingest and the relay. Sinks get far seldom while much is wrong, and of relays only one is at work. */
const crashPoints = [
  ...times(9, 'C20', 'C21', 'C22', 'C23'),
  ...times(2, 'C24', 'C25'),
  ...times(4, 'C31', 'C32', 'C33'),
]

export function firstLight(setting: {
  readonly partitions: number
  readonly runtime: RuntimeSettings
  readonly chance: Pick
}): Program {
  const { chance, runtime } = setting
  const partitions = Math.min(mostPartitions, setting.partitions)
  const world = new FirstLight({
    seed: String(chance.below(2 ** 31)),
    tenants: 2 + chance.below(4),
    companies: 5 + chance.below(7),
    withinMs: 20_000,
    projections: 2 + chance.below(3),
  })
  const outbox = new OutboxServer(world)
  // Thirteen groups in each process: idle ones must not fill the time.
  const settings = { ...runtime, fetchMaxWaitMs: Math.max(500, runtime.fetchMaxWaitMs) }
  return {
    name: 'first-light',
    topics: spokenTopics.map(({ name }) => ({ name, partitions, config: { 'retention.ms': '-1' } })),
    groups: groupsOf(world),
    start: (machine) => startNode(machine, { world, outbox, settings }),
    wanted: 0,
    processesMost: 3,
    safetyTimes: 2,
    records: (evidence) => recordsIn(evidence, partitions),
    crashPoints,
    clockJumpMostMs: 4_000,
    generate: () => undefined,
    unfinished: (evidence) => unfinishedOf(evidence, world),
    check: (evidence: Evidence): readonly Violation[] => checkFirstLight(evidence, world),
  }
}

function recordsIn(evidence: Evidence, partitions: number): number {
  const counts = spokenTopics.flatMap(({ name }) =>
    Array.from({ length: partitions }, (_, partition) => evidence.committed(name, partition).length),
  )
  return counts.reduce((sum, count) => sum + count, 0)
}

function groupsOf(world: FirstLight): Program['groups'] {
  const hosted = services(world.settings).map(({ name, processors }) => ({
    group: name,
    topics: [...new Set(processors.map(({ reads }) => reads.name))],
  }))
  const calls = callTopics(world.settings).map(({ name }) => name)
  return [...hosted, { group: effectsApplication, topics: [...calls, repartitionTopic(effectsApplication, 'calls')] }]
}
