/** The topics an application needs: the ones it was given must exist, its own are created and judged, never altered. */

import type { Log, TopicMetadata, TopicSpec } from '../../connectors/kafka/index.ts'
import { createMissing } from '../../connectors/kafka/index.ts'
import { EngineError } from '../errors.ts'
import type { StoreNode } from '../graph/nodes.ts'
import type { SubTopology, Topology } from '../graph/topology.ts'
import { changelogTopic, deadLetterTopic, isSink, repartitionTopic, topicName, topicNames } from '../graph/topology.ts'
import { copartitionFindings } from '../graph/validate.ts'

const compacted = { 'cleanup.policy': 'compact', 'message.timestamp.type': 'CreateTime' }
/** What windows are kept longer in their changelog than in the store, by the wall clock: Kafka Streams' default of a day. */
export const windowSlackMs = 24 * 60 * 60 * 1000
const kept = { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'message.timestamp.type': 'CreateTime' }

export interface ResolvedTopics {
  /** Partitions of every topic the application reads or writes, dead letters and changelogs included. */
  readonly partitions: ReadonlyMap<string, number>
  /** Tasks of each part, by the part's name. */
  readonly tasks: ReadonlyMap<string, number>
}

/** @throws EngineError MISSING_TOPIC, INVALID_TOPOLOGY or PARTITIONS_CHANGED, one line per finding */
export async function resolveTopics(
  log: Log,
  topology: Topology,
  topicConfig: Readonly<Record<string, string>> = {},
): Promise<ResolvedTopics> {
  // By name: what it may not see is then refused by the log, instead of looking as if it were not there.
  const found = await log.metadata([...topicNames(topology)])
  const known = new Map(found.map((topic) => [topic.name, topic]))
  const partitions = givenTopics(topology, known)
  for (const repartition of topology.repartitions) {
    partitions.set(
      repartitionTopic(topology.name, repartition.name),
      repartition.partitions ?? upstreamPartitions(topology, repartition.name, partitions),
    )
  }
  const findings = copartitionFindings(topology, partitions)
  if (findings.length > 0) throw new EngineError('INVALID_TOPOLOGY', findings.join('\n'), 'stop')
  const tasks = new Map(topology.subTopologies.map((part) => [part.name, taskCount(topology, part, partitions)]))
  const own = ownTopics(topology, partitions, tasks)
  judge(own, known)
  // Two applications may want one dead-letter topic at the same time.
  await createMissing(
    log,
    own.map((spec) => ({ ...spec, config: { ...topicConfig, ...spec.config } })),
  )
  for (const spec of own) partitions.set(spec.name, spec.partitions)
  return { partitions, tasks }
}

/** Topics read or written that are not this topology's own. */
function givenTopics(topology: Topology, known: ReadonlyMap<string, TopicMetadata>): Map<string, number> {
  const own = new Set(topology.repartitions.map((repartition) => repartition.name))
  const named = topology.subTopologies.flatMap((part) => [
    ...part.sources.map((source) => source.topic),
    ...part.nodes.filter(isSink).flatMap((sink) => sink.topics),
  ])
  const partitions = new Map<string, number>()
  const missing: string[] = []
  for (const name of new Set(named)) {
    if (own.has(name)) continue
    const topic = known.get(name)
    if (topic === undefined) missing.push(name)
    else partitions.set(name, topic.partitions)
  }
  if (missing.length > 0)
    throw new EngineError(
      'MISSING_TOPIC',
      `application "${topology.name}" needs topics that do not exist: ${missing.join(', ')}`,
      'stop',
    )
  return partitions
}

/** As many as the largest source of the part that writes it. */
function upstreamPartitions(topology: Topology, repartition: string, partitions: ReadonlyMap<string, number>): number {
  const writers = topology.subTopologies.filter((part) =>
    part.nodes.filter(isSink).some((sink) => sink.topics.includes(repartition)),
  )
  const counts = writers.flatMap((part) =>
    part.sources.map((source) => partitions.get(topicName(topology, source.topic)) ?? 0),
  )
  const count = Math.max(0, ...counts)
  if (count === 0)
    throw new EngineError(
      'INVALID_TOPOLOGY',
      `repartition "${repartition}" is fed by another repartition: give it a number of partitions`,
      'stop',
    )
  return count
}

function taskCount(topology: Topology, part: SubTopology, partitions: ReadonlyMap<string, number>): number {
  return Math.max(...part.sources.map((source) => partitions.get(topicName(topology, source.topic)) ?? 0))
}

function ownTopics(
  topology: Topology,
  partitions: ReadonlyMap<string, number>,
  tasks: ReadonlyMap<string, number>,
): TopicSpec[] {
  const specs: TopicSpec[] = topology.repartitions.map((repartition) => {
    const name = repartitionTopic(topology.name, repartition.name)
    return {
      name,
      partitions: partitions.get(name) ?? 1,
      config: { ...kept, 'segment.bytes': String(50 * 1024 * 1024) },
    }
  })
  for (const part of topology.subTopologies) {
    for (const store of part.stores) {
      if (store.logged)
        specs.push({
          name: changelogTopic(topology.name, store.name),
          partitions: tasks.get(part.name) ?? 1,
          config: changelogConfig(store),
        })
    }
    for (const source of part.sources) {
      const name = topicName(topology, source.topic)
      specs.push({ name: deadLetterTopic(name), partitions: partitions.get(name) ?? 1, config: kept })
    }
  }
  return specs
}

/** Windows expire from the changelog too: compaction alone would keep every key there ever was. */
function changelogConfig({ window }: StoreNode): TopicSpec['config'] {
  if (window === undefined) return compacted
  return {
    ...compacted,
    'cleanup.policy': 'compact,delete',
    'retention.ms': String(window.retentionMs + windowSlackMs),
  }
}

/** Those that exist already. @throws EngineError PARTITIONS_CHANGED, INVALID_TOPOLOGY */
function judge(specs: readonly TopicSpec[], known: ReadonlyMap<string, TopicMetadata>): void {
  for (const spec of specs) {
    const found = known.get(spec.name)
    if (found !== undefined && found.partitions !== spec.partitions)
      throw new EngineError(
        'PARTITIONS_CHANGED',
        `topic "${spec.name}" has ${found.partitions} partitions, this topology needs ${spec.partitions}: state cannot move between partitions`,
        'stop',
      )
    if (found !== undefined && !keepsAsMuch(found, spec))
      throw new EngineError(
        'INVALID_TOPOLOGY',
        `topic "${spec.name}" has cleanup.policy ${policyOf(found)}, this topology needs ${policyOf(spec)}: rows would be lost, or kept for ever`,
        'stop',
      )
  }
}

/** A changelog that somebody made by hand must be cleaned as its store needs; true when its policy is not told. */
function keepsAsMuch(found: TopicMetadata, wanted: TopicSpec): boolean {
  if (!policyOf(wanted).includes('compact') || found.config['cleanup.policy'] === undefined) return true
  return policyOf(found) === policyOf(wanted)
}

const policyOf = ({ config }: Pick<TopicSpec, 'config'>): string =>
  (config['cleanup.policy'] ?? '')
    .split(',')
    .map((word) => word.trim())
    .sort()
    .join(',')
